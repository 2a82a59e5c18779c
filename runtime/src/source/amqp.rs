//! The fedora-messaging source: a consumer on an AMQP 0-9-1 broker.
//!
//! Comes in: messages of one queue, at most `prefetch` of them unsettled. Goes out: deliveries; each is
//! acknowledged to the broker only after its commit, and given back where there was none. A lost connection is
//! made anew for ever, and the broker then sends again whatever was not acknowledged. Credentials never appear
//! in an event or error.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use futures::StreamExt;
use lapin::message::Delivery as Received;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Acker, Channel, Connection, ConnectionProperties, Consumer};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio_util::sync::CancellationToken;

use super::pause::Pause;
use super::{
    BrokerTls, Deliveries, Delivery, QueueDeclare, Settled, SourceError, SourceEvent, SourceEvents, Wire,
};
use crate::limits;
use crate::message::MessageText;

/// A queue of a broker to consume.
pub(super) struct Amqp {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) tls: Option<BrokerTls>,
    pub(super) queue: String,
    pub(super) exchange: String,
    pub(super) bindings: Vec<String>,
    pub(super) prefetch: u16,
    pub(super) declare: QueueDeclare,
    pub(super) deliveries: Deliveries,
    pub(super) events: SourceEvents,
}

/// Why a consumer ended.
enum End {
    /// The link is gone.
    Lost(String),
    /// Nobody takes deliveries.
    InboxClosed,
}

impl From<lapin::Error> for End {
    fn from(error: lapin::Error) -> Self {
        // The broker may have worded it.
        Self::Lost(MessageText::new(error.to_string()).to_string())
    }
}

impl Amqp {
    /// Consumes until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) -> Result<(), SourceError> {
        let uri = broker_uri(&self.url)?;
        broker_tls(self.tls.as_ref())?;
        let endpoint = format!("{}:{}/{}", uri.authority.host, uri.authority.port, uri.vhost);
        let mut pause = Pause::new();
        loop {
            let ended = tokio::select! {
                ended = self.consume(&uri, &endpoint, &mut pause) => ended,
                () = stop.cancelled() => return Ok(()),
            };
            let End::Lost(reason) = ended else { return Err(SourceError::InboxClosed) };
            self.events.tell(SourceEvent::Lost { endpoint: endpoint.clone(), reason });
            let after = pause.next();
            self.events.tell(SourceEvent::Retrying { endpoint: endpoint.clone(), after });
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// One life of a connection; gives the reason of its end. Dropping this closes it.
    async fn consume(&self, uri: &AMQPUri, endpoint: &str, pause: &mut Pause) -> End {
        let linked = tokio::time::timeout(limits::CONNECT_TIMEOUT, self.link(uri)).await;
        let (_connection, consumer) = match linked {
            Ok(Ok(linked)) => linked,
            Ok(Err(end)) => return end,
            Err(_) => return End::Lost(format!("no answer within {} s", limits::CONNECT_TIMEOUT.as_secs())),
        };
        pause.reset();
        self.events.tell(SourceEvent::Connected { endpoint: endpoint.to_owned() });
        self.receive(consumer).await
    }

    async fn link(&self, uri: &AMQPUri) -> Result<(Connection, Consumer), End> {
        // Read anew at each connection, since certificates are renewed.
        let tls = broker_tls(self.tls.as_ref()).map_err(|error| End::Lost(error.to_string()))?;
        let properties = ConnectionProperties::default().with_connection_name("taskbot".into());
        let runtime = lapin::runtime::default_runtime().map_err(|error| End::Lost(error.to_string()))?;
        let connection = Connection::connect_uri_with_config(uri.clone(), properties, tls, runtime).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        self.declare(&channel).await?;
        let tag = ShortString::default();
        let options = BasicConsumeOptions::default();
        let consumer =
            channel.basic_consume(self.queue.as_str().into(), tag, options, FieldTable::default()).await?;
        Ok((connection, consumer))
    }

    async fn declare(&self, channel: &Channel) -> Result<(), lapin::Error> {
        let options = match self.declare {
            QueueDeclare::Durable => QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() },
            QueueDeclare::Transient => {
                QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() }
            }
            QueueDeclare::Passive => QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() },
        };
        channel.queue_declare(self.queue.as_str().into(), options, FieldTable::default()).await?;
        if self.declare == QueueDeclare::Passive {
            return Ok(());
        }
        for binding in &self.bindings {
            let (queue, exchange) = (self.queue.as_str().into(), self.exchange.as_str().into());
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(queue, exchange, binding.as_str().into(), options, arguments).await?;
        }
        Ok(())
    }

    async fn receive(&self, mut consumer: Consumer) -> End {
        let mut unsettled = VecDeque::new();
        loop {
            tokio::select! {
                received = consumer.next() => match received {
                    Some(Ok(received)) => {
                        let (settle, settled) = oneshot::channel();
                        let acker = received.acker.clone();
                        let delivery = Delivery { source: self.name.clone(), wire: wire(received), settle };
                        if self.deliveries.send(delivery).await.is_err() {
                            return End::InboxClosed;
                        }
                        unsettled.push_back(Unsettled { acker, settled });
                    }
                    Some(Err(error)) => return error.into(),
                    None => return End::Lost("the broker ended the consumer".to_owned()),
                },
                fate = fate_of_first(&mut unsettled) => {
                    if let Err(error) = settle(&mut unsettled, fate).await {
                        return error.into();
                    }
                }
            }
        }
    }
}

/// A delivery that the inbox has.
struct Unsettled {
    acker: Acker,
    settled: oneshot::Receiver<Settled>,
}

/// What became of the oldest delivery; one that was forgotten is given back.
async fn fate_of_first(unsettled: &mut VecDeque<Unsettled>) -> Settled {
    match unsettled.front_mut() {
        Some(first) => (&mut first.settled).await.unwrap_or(Settled::Returned),
        None => std::future::pending().await,
    }
}

/// Tells the broker of the oldest delivery and of all after it whose fate is known. The inbox settles in order, so one
/// acknowledgement speaks for a whole group.
async fn settle(unsettled: &mut VecDeque<Unsettled>, mut fate: Settled) -> Result<(), lapin::Error> {
    let mut committed: Option<Acker> = None;
    while let Some(first) = unsettled.pop_front() {
        match fate {
            Settled::Committed => committed = Some(first.acker),
            Settled::Returned => {
                acknowledge(committed.take()).await?;
                // Keeps a message that cannot be committed from going round at full speed.
                tokio::time::sleep(limits::RETRY_PAUSE).await;
                first.acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
            }
        }
        fate = match unsettled.front_mut().map(|next| next.settled.try_recv()) {
            None | Some(Err(TryRecvError::Empty)) => break,
            Some(Ok(fate)) => fate,
            Some(Err(TryRecvError::Closed)) => Settled::Returned,
        };
    }
    acknowledge(committed).await
}

/// Acknowledges a delivery and all before it.
async fn acknowledge(last: Option<Acker>) -> Result<(), lapin::Error> {
    match last {
        Some(acker) => acker.ack(BasicAckOptions { multiple: true }).await.map(drop),
        None => Ok(()),
    }
}

fn wire(received: Received) -> Wire {
    let sent_at = received.properties.headers().as_ref().and_then(|headers| headers.inner().get("sent-at"));
    let sent_at = match sent_at {
        Some(AMQPValue::LongString(text)) => Some(text.to_string()),
        _ => None,
    };
    Wire::Amqp {
        routing_key: received.routing_key.to_string(),
        message_id: received.properties.message_id().as_ref().map(ToString::to_string),
        sent_at,
        body: received.data,
    }
}

/// A broker's URL; errors do not repeat it.
pub(crate) fn broker_uri(url: &str) -> Result<AMQPUri, SourceError> {
    // The parser's own words may hold the password.
    let mut uri: AMQPUri = url.parse().map_err(|_| {
        SourceError::Config("its broker URL is not like amqps://user:password@host:5671/%2F".to_owned())
    })?;
    // A connection that is dead without a word is found by this; the broker may lower it.
    uri.query.heartbeat = uri.query.heartbeat.or(Some(limits::AMQP_HEARTBEAT_SECONDS));
    Ok(uri)
}

/// What to trust and who to be; without files the system's.
pub(crate) fn broker_tls(tls: Option<&BrokerTls>) -> Result<OwnedTLSConfig, SourceError> {
    let Some(tls) = tls else { return Ok(OwnedTLSConfig::default()) };
    let read = |path: &Path| {
        fs::read(path).map_err(|error| SourceError::File { path: path.to_owned(), reason: error.to_string() })
    };
    let cert_chain = match &tls.ca {
        Some(ca) => Some(String::from_utf8_lossy(&read(ca)?).into_owned()),
        None => None,
    };
    let identity = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            Some(OwnedIdentity::PKCS8 { pem: read(certificate)?, key: read(key)? })
        }
        (None, None) => None,
        _ => return Err(SourceError::Config("`certificate` and `key` belong together".to_owned())),
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_url_gets_a_heartbeat_and_keeps_its_secrets() {
        assert_eq!(
            broker_uri("amqp://u:p@h/%2F").unwrap().query.heartbeat,
            Some(limits::AMQP_HEARTBEAT_SECONDS)
        );
        assert_eq!(broker_uri("amqps://u:p@h/%2F?heartbeat=7").unwrap().query.heartbeat, Some(7));
        for url in ["http://u:secret@h/", "amqp://u:secret@h:port/", "secret"] {
            let error = broker_uri(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
