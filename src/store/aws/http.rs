//! The HTTP client under the SDK: TLS only where it is needed.
//!
//! The SDK's own client reads and parses the machine's certificates for every client that it
//! builds, several of them just to look for credentials, also where nothing is spoken but plain
//! HTTP: milliseconds at every start, and in a container without certificates a panic of debug
//! builds. Here one pool serves all, and its TLS half comes to life with the first `https` request.

use aws_sdk_dynamodb::config::{HttpClient, IntoShared, RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// A client for everything that a store sends.
pub(super) fn client() -> SharedHttpClient {
    let plain = Builder::new().build_with_connector_fn(plain);
    let tls = Builder::new().build_with_connector_fn(tls);
    Halves { plain, tls }.into_shared()
}

/// A way to send a single request to `url`, for what no SDK speaks. It keeps no time: bound it.
pub(in crate::store) fn connector(url: &str) -> SharedHttpConnector {
    SharedHttpConnector::new(if is_plain(url) { plain(None, None) } else { tls(None, None) })
}

fn plain(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> Connector {
    let mut connector = ConnectorBuilder::default();
    connector.set_connector_settings(settings.cloned());
    connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    connector.set_proxy_config(Some(ProxyConfig::from_env()));
    connector.build_http()
}

fn tls(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> Connector {
    let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    connector.set_connector_settings(settings.cloned());
    connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    connector.set_proxy_config(Some(ProxyConfig::from_env()));
    connector.build()
}

fn is_plain(url: &str) -> bool {
    url.starts_with("http://")
}

#[derive(Debug, Clone)]
struct Halves {
    plain: SharedHttpClient,
    tls: SharedHttpClient,
}

impl HttpClient for Halves {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Chooser {
            halves: self.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct Chooser {
    halves: Halves,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Chooser {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Halves { plain, tls } = &self.halves;
        let half = if is_plain(request.uri()) { plain } else { tls };
        // Each half keeps its connectors, and with them their connections, for the same settings.
        half.http_connector(&self.settings, &self.components).call(request)
    }
}
