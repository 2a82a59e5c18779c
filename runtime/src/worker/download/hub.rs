//! Koji's hub: what a build consists of.
//!
//! Comes in: a build's name. Goes out: its packages, as `getBuild` and `listRPMs` of the hub's XML-RPC say; a build that the hub does
//! not know or that is not complete yet may come later. Nobody logs in, nothing is changed there.

use taskbot_graph::Nvr;

use super::http::Client;
use super::xmlrpc::{self, Value};
use crate::limits;
use crate::message::MessageText;
use crate::task::download::DownloadError;

/// A package of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildPackage {
    name: String,
    version: String,
    release: String,
    pub(super) arch: String,
    pub(super) size_bytes: u64,
}

impl BuildPackage {
    /// Below the build.
    pub(super) fn path(&self) -> String {
        let Self { name, version, release, arch, .. } = self;
        format!("{arch}/{name}-{version}-{release}.{arch}.rpm")
    }
}

/// States of builds, as koji numbers them.
const BUILDING: i64 = 0;
const COMPLETE: i64 = 1;

pub(super) fn packages(client: &Client, hub: &str, build: &Nvr) -> Result<Vec<BuildPackage>, DownloadError> {
    let asked = ask(client, hub, "getBuild", &Value::Text(build.to_string()))?;
    if asked == Value::Nil {
        return Err(DownloadError::NotFound(format!("koji has no build {build}")));
    }
    match (asked.member("id").and_then(Value::int), asked.member("state").and_then(Value::int)) {
        (Some(id), Some(COMPLETE)) => {
            let listed = ask(client, hub, "listRPMs", &Value::Int(id))?;
            let Value::List(listed) = listed else { return Err(nonsense("listRPMs")) };
            listed.iter().map(|package| read(package).ok_or_else(|| nonsense("listRPMs"))).collect()
        }
        (_, Some(BUILDING)) => Err(DownloadError::NotFound(format!("koji is still building {build}"))),
        (_, Some(_)) => {
            Err(DownloadError::Refused(format!("the build {build} failed, was canceled or deleted")))
        }
        _ => Err(nonsense("getBuild")),
    }
}

fn ask(client: &Client, hub: &str, method: &str, parameter: &Value) -> Result<Value, DownloadError> {
    let answer = client.ask(hub, &xmlrpc::call(method, parameter), limits::KOJI_ANSWER_BYTES)?;
    xmlrpc::answer(&answer)
        .map_err(|why| DownloadError::Failed(format!("koji's hub, {method}: {}", MessageText::new(why))))
}

fn nonsense(method: &str) -> DownloadError {
    DownloadError::Failed(format!("koji's hub answers {method} with something else than it should"))
}

fn read(package: &Value) -> Option<BuildPackage> {
    let text = |key: &str| package.member(key).and_then(Value::text).map(str::to_owned);
    Some(BuildPackage {
        name: text("name")?,
        version: text("version")?,
        release: text("release")?,
        arch: text("arch")?,
        size_bytes: package.member("size").and_then(Value::int).and_then(|size| u64::try_from(size).ok())?,
    })
}
