//! JSON from untyped workers, received as a struct: what does not fit is refused with the path of
//! the field.
//!
//! ```text
//! cargo run --example typed_json
//! ```

use dip::builtin::{Json, TaskUpdate};
use dip::{Client, Server, handler};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    task: String,
    done: f64,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Running,
    Failed { reason: String },
    Done,
}

#[handler]
async fn progress(Json(progress): Json<Progress>) {
    println!("{} is at {} {:?}", progress.task, progress.done, progress.tags);
}

#[handler]
async fn update(TaskUpdate(states): TaskUpdate<(String, Status)>) {
    for (task, status) in states {
        println!("{task}: {status:?}");
    }
}

#[tokio::main]
async fn main() -> dip::Result<()> {
    let path = std::env::temp_dir().join(format!("typed-json-{}.sock", std::process::id()));
    let server = Server::builder(&path).bind().await?;
    tokio::spawn(server.run());

    let client = Client::connect(&path).await?;
    client.send_json(&json!({"task": "load", "done": 0.5, "tags": ["nightly"]})).await?;
    // Python sends NaN as it is, and so does dip.
    client.send(&Json(Progress { task: "mean".into(), done: f64::NAN, tags: vec![] })).await?;
    let states = vec![
        ("load".to_owned(), Status::Running),
        ("mean".to_owned(), Status::Failed { reason: "no rows".into() }),
        ("save".to_owned(), Status::Done),
    ];
    client.send(&TaskUpdate(states)).await?;
    if let Err(error) = client.send_json(&json!({"task": "load", "done": "half"})).await {
        println!("refused: {error}");
    }
    client.close().await
}
