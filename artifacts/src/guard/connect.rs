//! The guard between an object store's protocol and the network: every request of such a store, also those by which it asks for credentials, goes to places that are open
//! and to nothing else. Which places an endpoint names is not looked at beforehand: options have many names for it.

use super::vet::{Forbidden, Guard};
use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService,
};
use reqwest::Client;
use std::error::Error;
use url::Url;

/// Options by which requests would go another way.
const DETOURS: [ClientConfigKey; 2] = [ClientConfigKey::ProxyUrl, ClientConfigKey::ProxyCaCertificate];

/// A client that asks nothing but open places.
#[derive(Debug)]
struct Guarded {
    guard: Guard,
    client: Client,
}

/// An option that a guarded store cannot have.
#[derive(Debug, thiserror::Error)]
#[error("a datastore is reached without a proxy")]
struct Detour;

impl HttpConnector for Guard {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let has_detour = DETOURS.iter().any(|key| options.get_config_value(key).is_some());
        let failed = |source: Box<dyn Error + Send + Sync>| object_store::Error::Generic {
            store: "datastore",
            source,
        };
        if has_detour {
            return Err(failed(Box::new(Detour)));
        }
        let is_set = |key| {
            options
                .get_config_value(&key)
                .is_some_and(|value| value == "true")
        };
        let client = self.client_of_store(
            is_set(ClientConfigKey::AllowHttp),
            is_set(ClientConfigKey::AllowInvalidCertificates),
        );
        let client = client.map_err(|error| failed(Box::new(error)))?;
        Ok(HttpClient::new(Guarded {
            guard: self.clone(),
            client,
        }))
    }
}

#[async_trait]
impl HttpService for Guarded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // None of these is tried again: a place does not open by itself.
        let forbidden = |why: Forbidden| HttpError::new(HttpErrorKind::Unknown, why);
        let url = Url::parse(&request.uri().to_string()).map_err(|_| forbidden(Forbidden::NoUrl))?;
        self.guard.check(&url).map_err(forbidden)?;
        self.client
            .call(request)
            .await
            .map_err(|error| match refusal(&error) {
                Some(why) => forbidden(why),
                None => error,
            })
    }
}

/// The guard's own refusal among the causes of an error: that of a name which leads to a place that is not open.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Forbidden> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(why) = error.downcast_ref::<Forbidden>() {
            return Some(why.clone());
        }
        cause = error.source();
    }
    None
}
