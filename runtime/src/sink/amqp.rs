//! The sink that is fedora-messaging: messages to an exchange of an AMQP 0-9-1 broker.
//!
//! Comes in: a notice. Goes out: its events, each confirmed by the broker, with the properties and headers that fedora-messaging's
//! consumers read. A message that is sent again has the same `message_id`. The link is made at the first delivery and again whenever
//! it was lost; credentials appear in no error.
//!
//! ```toml
//! [[sink]]
//! kind = "amqp"
//! url = "amqps://taskbot:@rabbitmq.example.org/%2Fpubsub"
//! topic_prefix = "org.example.prod"
//! ```

use std::fmt;
use std::path::PathBuf;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde::Deserialize;

use super::config::{Only, Settings};
use super::error::SinkError;
use super::events::{BusEvent, TopicPrefix, events};
use super::link::Link;
use super::notice::Notice;
use crate::limits;
use crate::message::MessageText;
use crate::source::BrokerTls;
use crate::source::amqp::{broker_tls, broker_uri};

/// `kind = "amqp"`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name.
    #[serde(default = "name")]
    name: String,
    /// What it is told.
    #[serde(default)]
    only: Only,
    /// The broker.
    url: BrokerUrl,
    /// What to trust and who to be.
    tls: Option<BrokerTls>,
    /// Where messages are published; it has to be there.
    #[serde(default = "exchange")]
    exchange: String,
    /// What topics begin with.
    topic_prefix: TopicPrefix,
    /// Page about a run.
    link: Option<Link>,
}

/// A broker's URL, which may hold a password.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct BrokerUrl(String);

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrokerUrl(..)")
    }
}

fn name() -> String {
    "amqp".into()
}
fn exchange() -> String {
    "amq.topic".into()
}

impl Settings for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn only(&self) -> &Only {
        &self.only
    }
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let tls = self.tls.iter_mut();
        tls.flat_map(|tls| [&mut tls.ca, &mut tls.certificate, &mut tls.key]).flatten().collect()
    }
    fn check(&self) -> Result<(), String> {
        broker_uri(&self.url.0).map(drop).map_err(|e| e.to_string())
    }
}

/// The schema of fedora-messaging that takes every body.
const SCHEMA: &str = "base.message";
/// Its severity "info".
const SEVERITY: i32 = 20;
/// AMQP's word for a message that outlives the broker.
const PERSISTENT: u8 = 2;

/// The link to the broker, while there is one.
pub(super) struct Sender {
    config: Config,
    link: Option<(Connection, Channel)>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(config: Config) -> Self {
        Self { config, link: None }
    }

    pub(super) async fn deliver(&mut self, notice: &Notice) -> Result<(), SinkError> {
        let sent = match tokio::time::timeout(limits::SINK_TIMEOUT, self.send(notice)).await {
            Ok(sent) => sent,
            Err(_) => Err(SinkError::unavailable("the broker does not answer")),
        };
        if sent.is_err() {
            self.link = None;
        }
        sent
    }

    async fn send(&mut self, notice: &Notice) -> Result<(), SinkError> {
        let channel = match self.link.take() {
            Some((connection, channel))
                if connection.status().connected() && channel.status().connected() =>
            {
                self.link = Some((connection, channel.clone()));
                channel
            }
            _ => {
                let (connection, channel) = connect(&self.config).await?;
                self.link = Some((connection, channel.clone()));
                channel
            }
        };
        let mut confirms = Vec::new();
        for event in events(notice, self.config.link.as_ref()) {
            let topic = self.config.topic_prefix.topic(&event);
            let body = serde_json::to_vec(&event.body).map_err(|e| SinkError::Form(e.to_string()))?;
            let (exchange, options) = (self.config.exchange.as_str().into(), BasicPublishOptions::default());
            let properties = properties(&event, notice);
            let sent =
                channel.basic_publish(exchange, topic.as_str().into(), options, &body, properties).await;
            confirms.push(sent.map_err(failed)?);
        }
        for confirm in confirms {
            if !matches!(confirm.await.map_err(failed)?, Confirmation::Ack(_)) {
                return Err(SinkError::unavailable("the broker did not take a message"));
            }
        }
        Ok(())
    }
}

/// The broker may have worded it.
fn failed(error: lapin::Error) -> SinkError {
    SinkError::unavailable(MessageText::new(error.to_string()).to_string())
}

async fn connect(config: &Config) -> Result<(Connection, Channel), SinkError> {
    let wrong = |e: crate::source::SourceError| SinkError::unavailable(e.to_string());
    let uri = broker_uri(&config.url.0).map_err(wrong)?;
    let tls = broker_tls(config.tls.as_ref()).map_err(wrong)?;
    let properties = ConnectionProperties::default().with_connection_name("taskbot results".into());
    let runtime = lapin::runtime::default_runtime().map_err(failed)?;
    let connection =
        Connection::connect_uri_with_config(uri, properties, tls, runtime).await.map_err(failed)?;
    let channel = connection.create_channel().await.map_err(failed)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
    Ok((connection, channel))
}

fn properties(event: &BusEvent, notice: &Notice) -> BasicProperties {
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut headers = FieldTable::default();
    headers.insert("fedora_messaging_schema".into(), text(SCHEMA));
    headers.insert("fedora_messaging_severity".into(), AMQPValue::LongInt(SEVERITY));
    headers.insert("sent-at".into(), text(&notice.run.run.changed_at.to_string()));
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(PERSISTENT)
        .with_priority(0)
        .with_message_id(event.id.as_str().into())
        .with_headers(headers)
}
