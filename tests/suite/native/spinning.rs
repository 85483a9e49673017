//! Connections that look for bytes before they sleep.

use dip::{CallError, Client, Connection, Router};

use super::support::{Add, Bounce, Bounced, Note, Wait, in_time, ms, served_with, until};

async fn calls_come_back_while_it_spins_and_after_it_has_slept() {
    let mut served = served_with(|builder| builder.spin(ms(5))).await;
    let client = served.another().spin(ms(5)).connect().await.unwrap();
    for round in 0..3 {
        for a in 0..50 {
            assert_eq!(in_time(client.call(&Add { a, b: round })).await.unwrap(), a + round);
        }
        let back = in_time(client.call(&Bounce(6))).await.unwrap();
        assert_eq!(back, Bounced(6, String::new()));
        // Both sides sleep by then, and have to be woken.
        tokio::time::sleep(ms(20)).await;
    }
    client.notify(&Note("one-way".into())).await.unwrap();
    in_time(client.close()).await.unwrap();
    assert_eq!(served.log.all(), ["one-way"]);
    served.server.shutdown();
    served.ended().await.unwrap();
}

#[tokio::test]
async fn calls_come_back_on_one_thread() {
    calls_come_back_while_it_spins_and_after_it_has_slept().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_come_back_on_many_threads() {
    calls_come_back_while_it_spins_and_after_it_has_slept().await;
}

#[tokio::test]
async fn deadlines_and_handlers_that_wait_go_on_beside_a_connection_that_spins() {
    let served = served_with(|builder| builder.spin(ms(200))).await;
    let client = served.another().spin(ms(200)).connect().await.unwrap();
    let late = client.send(&Wait("late".into())).timeout(ms(30)).await.unwrap_err();
    assert!(matches!(late, CallError::Deadline { sent: true }), "{late:?}");
    let waiting = tokio::spawn(client.send(&Wait("w".into())));
    until(|| served.in_flight::<Wait>() == 1).await;
    served.gate.open(1);
    in_time(waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_of_a_peer_is_seen_by_a_connection_that_spins() {
    let served = served_with(|builder| builder.spin(ms(100))).await;
    let client = served.another().spin(ms(100)).connect().await.unwrap();
    served.connections(2).await;
    drop(client);
    served.connections(1).await;
}

#[tokio::test]
async fn a_stream_that_is_no_socket_may_spin_as_well() {
    let (ours, theirs) = dip::pair();
    let log = super::support::Log::default();
    let gate = super::support::Gate::closed();
    let router = Router::group("native");
    let connection = Connection::over(theirs, router).state(log).state(gate).spin(ms(5));
    let running = tokio::spawn(connection.run());
    let client = Client::over(ours).spin(ms(5)).connect().await.unwrap();
    for a in 0..20 {
        assert_eq!(in_time(client.call(&Add { a, b: 1 })).await.unwrap(), a + 1);
        tokio::time::sleep(ms((a % 4) as u64 * 3)).await;
    }
    in_time(client.close()).await.unwrap();
    in_time(running).await.unwrap().unwrap();
}
