//! GitHub's issuer of identity tokens and AWS STS, as far as we speak with them.

use std::sync::{Arc, Mutex};

use super::program::in_seconds;
use crate::support::http::{Reply, Request, Server, answer};

/// What the job shows the issuer. Nobody may ever see it.
pub(super) const BEARER: &str = "request-token-of-the-job";

/// The issuer: each token is a new one.
pub(crate) struct Issuer {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// Answers the first requests with these statuses, and from then on with tokens.
    pub(crate) fn start(failures: &'static [u16]) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let server = Server::start(move |request| {
            let mut seen = seen.lock().unwrap();
            seen.push(request.head.lines().next().unwrap_or_default().to_owned());
            if request.header("authorization") != Some(&format!("Bearer {BEARER}")) {
                return answer(401, "{}");
            }
            match failures.get(seen.len() - 1) {
                Some(status) => answer(*status, &format!("{{\"message\": \"no, {BEARER}\"}}")),
                None => answer(200, &format!("{{\"count\": 1, \"value\": \"jwt-{}\"}}", seen.len())),
            }
        });
        Self { server, asked }
    }

    /// The variables of a job that may mint tokens.
    pub(crate) fn vars(&self) -> [(&'static str, String); 2] {
        let url = format!("{}/token/idtoken?api-version=2.0", self.server.endpoint());
        [("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER.to_owned())]
    }

    /// The request lines so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// STS: lends the keys `AKID<token>` for a token, `AKIDROLE` for other keys.
pub(crate) struct Sts {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request to STS.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) action: String,
    pub(crate) role: String,
    pub(super) token: String,
    pub(super) authorization: String,
    /// All of it, as it was sent.
    pub(super) body: String,
}

impl Sts {
    /// Lends for so many seconds.
    pub(crate) fn lending_for(seconds: i64) -> Self {
        Self::start(move |asked| answer(200, &lent(asked, seconds)))
    }

    /// Refuses, repeating what it was shown, as a service may.
    pub(super) fn refusing() -> Self {
        Self::start(|asked| {
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>AccessDenied</Code><Message>Not authorized to perform \
                 sts:AssumeRoleWithWebIdentity with {}</Message></Error></ErrorResponse>",
                asked.token
            );
            answer(403, &body)
        })
    }

    fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let server = Server::start(move |request| {
            let request = Asked::from(&request);
            let reply = handler(&request);
            seen.lock().unwrap().push(request);
            reply
        });
        Self { server, asked }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        let text = String::from_utf8_lossy(&request.bytes);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let field = |name: &str| {
            let value = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            let value = percent_encoding::percent_decode_str(value.unwrap_or_default());
            value.decode_utf8_lossy().into_owned()
        };
        Self {
            action: field("Action"),
            role: field("RoleArn"),
            token: field("WebIdentityToken"),
            authorization: request.header("authorization").unwrap_or_default().to_owned(),
            body: format!("{body}&"),
        }
    }
}

fn lent(asked: &Asked, seconds: i64) -> String {
    let key = match asked.token.strip_prefix("jwt-") {
        Some(number) => format!("AKIDJWT{number}"),
        None => "AKIDROLE".to_owned(),
    };
    let action = &asked.action;
    let expiration = in_seconds(seconds);
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret-of-the-role</SecretAccessKey>\
         <SessionToken>session-of-the-role</SessionToken><Expiration>{expiration}</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    )
}
