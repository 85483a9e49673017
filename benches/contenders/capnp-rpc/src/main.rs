//! capnp-rpc, over buffered halves of a Unix socket, as in its examples; one-way messages are a
//! stream, whose flow it controls. It runs on one thread.

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use capnp_rpc::{RpcSystem, new_client};
use driver::{Contender, Counts, HANDLED, Message, Ready, Result, Runtime, Stop, Variant};
use futures::io::{BufReader, BufWriter};
use send_wrapper::SendWrapper;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use bench_capnp::{bench, small};

#[allow(warnings)]
mod bench_capnp {
    include!(concat!(env!("OUT_DIR"), "/bench_capnp.rs"));
}

fn read(message: small::Reader<'_>) -> capnp::Result<Message> {
    let values = message.get_values()?;
    let mut read = Message {
        id: message.get_id(),
        name: message.get_name()?.to_str()?.to_owned(),
        values: [0; 8],
    };
    if values.len() as usize != read.values.len() {
        return Err(capnp::Error::failed("another number of values".into()));
    }
    for (to, from) in read.values.iter_mut().zip(values) {
        *to = from;
    }
    Ok(read)
}

fn write(message: &Message, mut to: small::Builder<'_>) {
    to.set_id(message.id);
    to.set_name(&message.name);
    let mut values = to.init_values(message.values.len() as u32);
    for (index, value) in (0..).zip(message.values) {
        values.set(index, value);
    }
}

struct Handlers;

impl bench::Server for Handlers {
    async fn call(
        self: Rc<Self>,
        parameters: bench::CallParams,
        mut results: bench::CallResults,
    ) -> capnp::Result<()> {
        let message = read(parameters.get()?.get_message()?)?;
        write(&message, results.get().init_message());
        Ok(())
    }

    async fn echo(
        self: Rc<Self>,
        parameters: bench::EchoParams,
        mut results: bench::EchoResults,
    ) -> capnp::Result<()> {
        results.get().set_body(parameters.get()?.get_body()?);
        Ok(())
    }

    async fn one_way(self: Rc<Self>, parameters: bench::OneWayParams) -> capnp::Result<()> {
        std::hint::black_box(read(parameters.get()?.get_message()?)?);
        HANDLED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn handled(
        self: Rc<Self>,
        _: bench::HandledParams,
        mut results: bench::HandledResults,
    ) -> capnp::Result<()> {
        results.get().set_messages(HANDLED.load(Ordering::Relaxed));
        Ok(())
    }
}

#[derive(Clone)]
struct CapnpRpc(SendWrapper<bench::Client>);

impl Contender for CapnpRpc {
    type Message = Message;

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        let listener = UnixListener::bind(place)?;
        ready.listening()?;
        let client = SendWrapper::new(new_client::<bench::Client, _>(Handlers));
        loop {
            let (stream, _) = listener.accept().await?;
            let network = network(stream, Side::Server);
            let system = RpcSystem::new(network, Some((*client).clone().client));
            tokio::spawn(SendWrapper::new(system));
        }
    }

    async fn connect(place: &Path) -> Result<Self> {
        let stream = UnixStream::connect(place).await?;
        let mut system = RpcSystem::new(network(stream, Side::Client), None);
        let client = system.bootstrap(Side::Server);
        tokio::spawn(SendWrapper::new(system));
        Ok(Self(SendWrapper::new(client)))
    }

    async fn call(&mut self, message: Message) -> Result<Message> {
        SendWrapper::new(async {
            let mut request = self.0.call_request();
            write(&message, request.get().init_message());
            let response = request.send().promise.await?;
            Ok(read(response.get()?.get_message()?)?)
        })
        .await
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        driver::by_tasks(self, in_flight, stop).await
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        SendWrapper::new(async {
            let mut request = self.0.echo_request();
            request.get().set_body(&body);
            let response = request.send().promise.await?;
            Ok(response.get()?.get_body()?.len())
        })
        .await
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        SendWrapper::new(async {
            let message = driver::Small::new(1);
            let mut sent = 0;
            while !stop.is_over() {
                let mut request = self.0.one_way_request();
                write(&message, request.get().init_message());
                request.send().await?;
                sent += 1;
            }
            Ok(sent)
        })
        .await
    }

    async fn handled(&mut self) -> Result<u64> {
        SendWrapper::new(async {
            let response = self.0.handled_request().send().promise.await?;
            Ok(response.get()?.get_messages())
        })
        .await
    }
}

fn network(stream: UnixStream, side: Side) -> Box<dyn capnp_rpc::VatNetwork<Side>> {
    let (reader, writer) = stream.into_split();
    let (reader, writer) = (BufReader::new(reader.compat()), BufWriter::new(writer.compat_write()));
    Box::new(VatNetwork::new(reader, writer, side, Default::default()))
}

fn main() -> ExitCode {
    let variant = Variant::of::<CapnpRpc>("capnp-rpc", Runtime::CurrentThread)
        .crates(&["capnp-rpc"])
        .note("current-thread, as it always is; w5 is a stream, with its flow control");
    driver::main(&[variant])
}
