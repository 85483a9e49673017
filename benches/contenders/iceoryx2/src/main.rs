//! iceoryx2: messages in shared memory, and an event for those that wait for them, since a program
//! that polls takes a whole core. An event goes out once for all that was written before it.

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use driver::{Contender, Counts, Flight, HANDLED, Message, Ready, Result, Runtime};
use driver::{Small as _, Stop, Variant, Workload};
use iceoryx2::pending_response::PendingResponse;
use iceoryx2::port::client::Client;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::{event, publish_subscribe, request_response};

/// The small message, with a name that needs no memory of its own.
#[derive(Clone, Copy, Debug, ZeroCopySend)]
#[repr(C)]
struct Small {
    id: u64,
    name: [u8; 16],
    values: [u32; 8],
}

impl driver::Small for Small {
    fn new(id: u64) -> Self {
        let Message { id, name, values } = Message::new(id);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(name.as_bytes());
        Self { id, name: bytes, values }
    }

    fn id(&self) -> u64 {
        self.id
    }
}

/// What goes with each message to the server.
#[derive(Clone, Copy, Debug, Default, ZeroCopySend)]
#[repr(C)]
struct Header {
    /// Whose event is to be notified of the reply.
    client: u64,
    /// Not 0: the reply's id is to be the number of one-way messages that were handled.
    handled: u64,
}

/// A server looks after as many replies as all of its clients may wait for, whether they do or not:
/// many clients have few calls in flight, and one has many, by services of their own.
const CLIENTS: usize = 16;
const FEW: usize = 8;
const MANY: usize = 64;
const ONE_WAY: usize = 1024;
/// One-way messages for which there is one event.
const ONE_EVENT: u64 = 64;
const LONGEST_BODY: usize = 1 << 20;

struct Services<S: Service> {
    node: Mutex<Node<S>>,
    few: request_response::PortFactory<S, Small, Header, Small, ()>,
    many: request_response::PortFactory<S, Small, Header, Small, ()>,
    bodies: request_response::PortFactory<S, [u8], Header, [u8], ()>,
    one_way: publish_subscribe::PortFactory<S, Small, Header>,
    /// There is something for the server.
    server: event::PortFactory<S>,
}

impl<S: Service> Services<S> {
    fn open(place: &Path) -> Result<Self> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(&Config::default())
            .create::<S>()?;
        Ok(Self {
            few: node
                .service_builder(&name(place, "few")?)
                .request_response::<Small, Small>()
                .request_user_header::<Header>()
                .max_clients(CLIENTS)
                .max_active_requests_per_client(FEW)
                .open_or_create()?,
            many: node
                .service_builder(&name(place, "many")?)
                .request_response::<Small, Small>()
                .request_user_header::<Header>()
                .max_clients(1)
                .max_active_requests_per_client(MANY)
                .open_or_create()?,
            bodies: node
                .service_builder(&name(place, "bodies")?)
                .request_response::<[u8], [u8]>()
                .request_user_header::<Header>()
                .max_active_requests_per_client(1)
                .open_or_create()?,
            one_way: node
                .service_builder(&name(place, "one-way")?)
                .publish_subscribe::<Small>()
                .user_header::<Header>()
                .enable_safe_overflow(false)
                .subscriber_max_buffer_size(ONE_WAY)
                .open_or_create()?,
            server: node
                .service_builder(&name(place, "server")?)
                .event()
                .max_notifiers(CLIENTS)
                .open_or_create()?,
            node: Mutex::new(node),
        })
    }

    /// There is something for that client.
    fn client(&self, place: &Path, client: u64) -> Result<event::PortFactory<S>> {
        let node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name(place, &client.to_string())?;
        Ok(node.service_builder(&name).event().open_or_create()?)
    }
}

fn name(place: &Path, service: &str) -> Result<ServiceName> {
    Ok(format!("{}/{service}", place.display()).as_str().try_into()?)
}

/// Those of the client, as long as it has a connection.
static SERVICES: Mutex<Weak<Services<Shared>>> = Mutex::new(Weak::new());
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A client's ports may go to another thread.
type Shared = ipc_threadsafe::Service;

type Calls<T> = Client<Shared, T, Header, T, ()>;
type Pending = PendingResponse<Shared, Small, Header, Small, ()>;

struct Iceoryx2 {
    number: u64,
    few: Calls<Small>,
    /// Opened when they are needed.
    many: Option<Calls<Small>>,
    bodies: Option<Calls<[u8]>>,
    one_way: Option<Publisher<Shared, Small, Header>>,
    server: Notifier<Shared>,
    event: Listener<Shared>,
    services: Arc<Services<Shared>>,
}

impl Contender for Iceoryx2 {
    type Message = Small;

    /// It has room for as many clients as it is told when a service is made, and a thousand take
    /// more shared memory than there is.
    const WORKLOADS: &[Workload] = &[
        Workload::Latency,
        Workload::Pipelined,
        Workload::Connections,
        Workload::Body64K,
        Workload::Body1M,
        Workload::OneWay,
        Workload::Connect,
    ];

    async fn serve(place: &Path, ready: Ready) -> Result<()> {
        answer(place, ready)
    }

    async fn connect(place: &Path) -> Result<Self> {
        let mut open = SERVICES.lock().unwrap_or_else(PoisonError::into_inner);
        let services = match open.upgrade() {
            Some(services) => services,
            None => {
                let services = Arc::new(Services::open(place)?);
                *open = Arc::downgrade(&services);
                services
            }
        };
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            number,
            few: services.few.client_builder().create()?,
            many: None,
            bodies: None,
            one_way: None,
            server: services.server.notifier_builder().create()?,
            event: services.client(place, number)?.listener_builder().create()?,
            services,
        })
    }

    async fn call(&mut self, message: Small) -> Result<Small> {
        self.exchange(message, 0)
    }

    async fn pump(&mut self, in_flight: usize, stop: &Stop) -> Result<Counts> {
        if in_flight > FEW && self.many.is_none() {
            self.many = Some(self.services.many.client_builder().create()?);
        }
        let calls = self.many.as_ref().unwrap_or(&self.few);
        let mut flight = Flight::new(in_flight);
        let mut pending = Vec::new();
        for id in 0..in_flight as u64 {
            flight.begin(id);
            pending.push(Some(self.send(calls, Small::new(id), 0)?));
        }
        self.server.notify()?;
        while !pending.is_empty() {
            self.wait()?;
            let mut sent = false;
            for slot in &mut pending {
                let Some(message) = received(slot)? else { continue };
                flight.end(message.id)?;
                // Its memory is given back before there is another one.
                *slot = None;
                if !stop.is_over() {
                    flight.begin(message.id);
                    *slot = Some(self.send(calls, message, 0)?);
                    sent = true;
                }
            }
            pending.retain(Option::is_some);
            if sent {
                self.server.notify()?;
            }
        }
        Ok(flight.counts())
    }

    async fn echo(&mut self, body: Bytes) -> Result<usize> {
        let bodies = match &mut self.bodies {
            Some(bodies) => bodies,
            none => none.insert(
                self.services
                    .bodies
                    .client_builder()
                    .initial_max_slice_len(LONGEST_BODY)
                    .create()?,
            ),
        };
        let mut request = bodies.loan_slice_uninit(body.len())?;
        *request.user_header_mut() = Header { client: self.number, handled: 0 };
        let pending = request.write_from_slice(&body).send()?;
        self.server.notify()?;
        loop {
            self.wait()?;
            if let Some(response) = pending.receive()? {
                return Ok(response.payload().len());
            }
        }
    }

    async fn notify(&mut self, stop: &Stop) -> Result<u64> {
        if self.one_way.is_none() {
            let publisher = self.services.one_way.publisher_builder();
            let strategy = BackpressureStrategy::DiscardData;
            self.one_way = Some(publisher.backpressure_strategy(strategy).create()?);
        }
        let publisher = self.one_way.as_ref().ok_or("no publisher")?;
        let message = Small::new(1);
        let mut sent = 0;
        while !stop.is_over() {
            let mut sample = publisher.loan_uninit()?;
            *sample.user_header_mut() = Header { client: self.number, handled: 0 };
            if sample.write_payload(message).send()? == 0 {
                // There is no room: the server says when there is.
                self.server.notify()?;
                self.wait()?;
                continue;
            }
            sent += 1;
            if sent % ONE_EVENT == 0 {
                self.server.notify()?;
            }
        }
        self.server.notify()?;
        Ok(sent)
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.exchange(Small::new(0), 1)?.id)
    }
}

impl Iceoryx2 {
    fn send(&self, calls: &Calls<Small>, message: Small, handled: u64) -> Result<Pending> {
        let mut request = calls.loan_uninit()?;
        *request.user_header_mut() = Header { client: self.number, handled };
        Ok(request.write_payload(message).send()?)
    }

    fn exchange(&self, message: Small, handled: u64) -> Result<Small> {
        let pending = self.send(&self.few, message, handled)?;
        self.server.notify()?;
        loop {
            self.wait()?;
            if let Some(response) = pending.receive()? {
                return Ok(*response.payload());
            }
        }
    }

    fn wait(&self) -> Result<()> {
        self.event.blocking_wait(|_| ())?;
        Ok(())
    }
}

fn received(pending: &Option<Pending>) -> Result<Option<Small>> {
    let Some(pending) = pending else { return Ok(None) };
    Ok(pending.receive()?.map(|response| *response.payload()))
}

/// Lets the server come to its end, so that it leaves no shared memory behind.
fn end(place: &Path) -> Result<()> {
    END.store(true, Ordering::Relaxed);
    Services::<Shared>::open(place)?.server.notifier_builder().create()?.notify()?;
    Ok(())
}

static END: AtomicBool = AtomicBool::new(false);

/// Serves all connections.
fn answer(place: &Path, ready: Ready) -> Result<()> {
    let services = Services::<ipc::Service>::open(place)?;
    let few = services.few.server_builder().create()?;
    let many = services.many.server_builder().create()?;
    let bodies = services.bodies.server_builder().initial_max_slice_len(LONGEST_BODY).create()?;
    let one_way = services.one_way.subscriber_builder().create()?;
    let event = services.server.listener_builder().create()?;
    let mut clients: HashMap<u64, Notifier<ipc::Service>> = HashMap::new();
    let mut served = Vec::new();
    let own_place = place.to_owned();
    ready.listening_until(move || {
        if end(&own_place).is_err() {
            std::process::exit(1);
        }
    })?;
    while !END.load(Ordering::Relaxed) {
        event.blocking_wait(|_| ())?;
        let mut serve = |client| {
            if served.last() != Some(&client) && !served.contains(&client) {
                served.push(client);
            }
        };
        for calls in [&few, &many] {
            while let Some(request) = calls.receive()? {
                let mut message = *request.payload();
                let header = *request.user_header();
                if header.handled != 0 {
                    message.id = HANDLED.load(Ordering::Relaxed);
                }
                request.loan_uninit()?.write_payload(message).send()?;
                serve(header.client);
            }
        }
        while let Some(request) = bodies.receive()? {
            let body = request.payload();
            request.loan_slice_uninit(body.len())?.write_from_slice(body).send()?;
            serve(request.user_header().client);
        }
        while let Some(message) = one_way.receive()? {
            std::hint::black_box(*message.payload());
            HANDLED.fetch_add(1, Ordering::Relaxed);
            serve(message.user_header().client);
        }
        for client in served.drain(..) {
            if !clients.contains_key(&client) {
                clients.retain(|_, gone| gone.notify().is_ok_and(|listeners| listeners > 0));
                let event = services.client(place, client)?;
                clients.insert(client, event.notifier_builder().create()?);
            }
            clients[&client].notify()?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let variant = Variant::of::<Iceoryx2>("iceoryx2", Runtime::Blocking)
        .crates(&["iceoryx2"])
        .note("shared memory, woken by its events; w7 opens the services each time");
    driver::main(&[variant])
}
