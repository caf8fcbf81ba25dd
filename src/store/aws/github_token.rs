//! Identity tokens of a GitHub job: minted anew for whoever asks, as long as the job runs.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use serde::Deserialize;

use super::http;
use super::sources::LoadError;
use crate::store::Unavailable;
use crate::store::text::chain;

/// Whom the token is for.
const AUDIENCE: &str = "sts.amazonaws.com";
/// How long one answer may take.
const ATTEMPT: Duration = Duration::from_secs(3);
/// The pause before each further attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];

/// A token, which nobody may see.
pub(super) struct Token(String);

impl Token {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Where tokens are minted. It holds a secret, so that it has no `Debug`.
pub(super) struct Issuer {
    url: String,
    bearer: String,
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

/// How an attempt went wrong.
enum Failure {
    /// Again, it may work.
    Passing(LoadError),
    Final(LoadError),
}

impl Issuer {
    /// What a job with `permissions: id-token: write` finds in its environment.
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let url = env("ACTIONS_ID_TOKEN_REQUEST_URL")?;
        let bearer = env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?;
        Some(Self { url, bearer })
    }

    /// A new token. What fails in passing is tried again, within about ten seconds.
    pub(super) async fn mint(&self) -> Result<Token, LoadError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.attempt().await {
                Ok(token) => return Ok(token),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
            }
        }
    }

    async fn attempt(&self) -> Result<Token, Failure> {
        let passing = |kind, text| Failure::Passing(LoadError::Unavailable(kind, text));
        let request = self.request().ok_or_else(|| {
            refused(
                "ACTIONS_ID_TOKEN_REQUEST_URL or ACTIONS_ID_TOKEN_REQUEST_TOKEN cannot be used".to_owned(),
            )
        })?;
        let exchange = async {
            let answer = http::connector(&self.url).call(request).await.map_err(|error| {
                let text = format!("GitHub's issuer of identity tokens cannot be reached: {}", chain(&error));
                passing(Unavailable::Unreachable, text)
            })?;
            let status = answer.status().as_u16();
            let body = ByteStream::new(answer.into_body()).collect().await.map_err(|error| {
                let text = format!("GitHub's identity token did not come whole: {}", chain(&error));
                passing(Unavailable::Failed, text)
            })?;
            Ok((status, body.into_bytes()))
        };
        let (status, body) = tokio::time::timeout(ATTEMPT, exchange).await.map_err(|_| {
            let text = format!("GitHub gave no identity token within {} s", ATTEMPT.as_secs());
            passing(Unavailable::Timeout, text)
        })??;
        // The body of an answer is never shown: it may hold a token.
        match status {
            200..=299 => serde_json::from_slice::<Answer>(&body)
                .ok()
                .filter(|answer| !answer.value.is_empty())
                .map(|answer| Token(answer.value))
                .ok_or_else(|| refused("GitHub's answer holds no identity token".to_owned())),
            429 | 500.. => {
                let text = format!("GitHub minted no identity token (HTTP {status})");
                Err(passing(Unavailable::Failed, text))
            }
            _ => Err(refused(format!(
                "GitHub refuses to mint an identity token (HTTP {status}): does the job have `permissions: \
                 id-token: write`, and is it still running?"
            ))),
        }
    }

    fn request(&self) -> Option<HttpRequest> {
        let mark = if self.url.contains('?') { '&' } else { '?' };
        let mut request = HttpRequest::get(format!("{}{mark}audience={AUDIENCE}", self.url)).ok()?;
        let headers = request.headers_mut();
        headers.try_insert("authorization", format!("Bearer {}", self.bearer)).ok()?;
        headers.try_insert("accept", "application/json").ok()?;
        Some(request)
    }
}

fn refused(cause: String) -> Failure {
    Failure::Final(LoadError::Refused(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(url: &str) -> Issuer {
        Issuer { url: url.into(), bearer: "b".into() }
    }

    #[test]
    fn both_variables_are_needed() {
        let only = |given: &'static str| move |name: &str| (name == given).then(|| "x".to_owned());
        assert!(Issuer::from_env(&only("ACTIONS_ID_TOKEN_REQUEST_URL")).is_none());
        assert!(Issuer::from_env(&only("ACTIONS_ID_TOKEN_REQUEST_TOKEN")).is_none());
        assert!(Issuer::from_env(&|_| Some("x".to_owned())).is_some());
    }

    #[test]
    fn the_audience_goes_with_what_the_url_asks_already() {
        for (url, asked) in [
            ("https://h/t?api-version=2.0", "https://h/t?api-version=2.0&audience=sts.amazonaws.com"),
            ("https://h/t", "https://h/t?audience=sts.amazonaws.com"),
        ] {
            let request = issuer(url).request().unwrap();
            assert_eq!(request.uri(), asked);
            assert_eq!(request.headers().get("authorization"), Some("Bearer b"));
        }
        assert!(issuer("no url").request().is_none());
    }
}
