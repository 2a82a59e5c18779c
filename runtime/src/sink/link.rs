//! Where people read about a run: a URL of the site with a place for the run's number.
//!
//! Comes in: the text of the configuration. Goes out: the URL of one run. It is only told, never asked.

use serde::Deserialize;

use super::http::Url;

/// `https://host/path/{run}/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Link(String);

impl TryFrom<String> for Link {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.contains("{run}") {
            return Err("a link has `{run}` where the run's number belongs".into());
        }
        Url::try_from(text.replace("{run}", "1"))?;
        Ok(Self(text))
    }
}

impl Link {
    /// The page of one run.
    pub(super) fn to(&self, run: i64) -> String {
        self.0.replace("{run}", &run.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_url_with_a_place_for_the_run() {
        let link = |text: &str| Link::try_from(text.to_owned());
        assert_eq!(
            link("https://qa.example.org/{run}/").map(|link| link.to(12)),
            Ok("https://qa.example.org/12/".into())
        );
        assert!(link("https://qa.example.org/").is_err() && link("javascript:{run}").is_err());
    }
}
