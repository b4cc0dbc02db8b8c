//! The API on a port. On this machine's own addresses unless there are tokens: whoever reaches the port could do anything.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::settings::Settings;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tidemill_coordinator::{Api, Certificates, ServeConfig, ServeError, TlsError};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A bound port and what answers at it.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    api: Api,
    config: ServeConfig,
    /// With TLS: a port for commands of this machine, whose names for it no certificate has.
    near: Option<TcpListener>,
    renewal: Option<Renewal>,
}

/// Refuses early what [`Listener::bind`] would refuse for the settings' sake: before a journal is read.
pub(crate) fn check_address(settings: &Settings) -> Result<(), Failure> {
    certificates(settings)?;
    if settings.listen.ip().is_loopback() || settings.insecure_plaintext || settings.tls.is_some() {
        return Ok(());
    }
    Err(refused(settings, &ServeError::Plaintext(settings.listen)))
}

/// The certificate of the settings, if there is to be one.
fn certificates(settings: &Settings) -> Result<Option<Certificates>, Failure> {
    let Some((certificate, key)) = settings.tls.clone() else {
        return Ok(None);
    };
    let loaded = Certificates::load(certificate, key);
    loaded.map(Some).map_err(|error| {
        let failure = Failure::because(Exit::Usage, "the API cannot be served over TLS", &error);
        match &error {
            TlsError::OpenKey { file, .. } => failure.help(format!("chmod 600 {}", file.display())),
            TlsError::Missing { .. } => failure
                .help("tls_cert takes text between BEGIN CERTIFICATE and END CERTIFICATE, tls_key text between BEGIN PRIVATE KEY and END PRIVATE KEY"),
            _ => failure,
        }
    })
}

/// Renews a certificate when it is told to.
#[derive(Debug)]
struct Renewal {
    certificates: Certificates,
    hangups: Signal,
}

impl Renewal {
    fn new(certificates: Certificates) -> Result<Self, Failure> {
        let hangups = signal(SignalKind::hangup()).context(|| "cannot listen for signals")?;
        Ok(Self {
            certificates,
            hangups,
        })
    }

    /// Looks for a renewed certificate at each SIGHUP.
    async fn at_each_hangup(mut self) {
        while self.hangups.recv().await.is_some() {
            self.certificates.renew_and_tell().await;
        }
    }
}

/// What to do about an address that is not served.
fn refused(settings: &Settings, error: &ServeError) -> Failure {
    let failure = Failure::new(
        Exit::Usage,
        format!("the API cannot listen on {}: {error}", settings.listen),
    );
    let near = "or listen on 127.0.0.1";
    match error {
        ServeError::NoToken(_) => {
            let folder = settings.state_dir.display();
            failure
                .help(format!(
                    "make the first token before: tidemill token create --scope admin --state-dir {folder}"
                ))
                .help(near)
        }
        ServeError::Plaintext(_) => failure
            .help("serve it over TLS: --tls-cert FILE --tls-key FILE")
            .help("or put a proxy that encrypts in front, and say that it is there with --insecure-plaintext")
            .help(near),
        _ => failure,
    }
}

impl Listener {
    /// Binds the address of the settings.
    pub(crate) async fn bind(settings: &Settings, api: Api) -> Result<Self, Failure> {
        let wanted = settings.listen;
        let config = ServeConfig {
            insecure_plaintext: settings.insecure_plaintext,
            tls: certificates(settings)?,
            ..ServeConfig::default()
        };
        api.may_be_served_at(wanted, &config)
            .map_err(|error| refused(settings, &error))?;
        let socket = TcpListener::bind(wanted).await.map_err(|error| {
            let failure = Failure::because(Exit::Conflict, format!("cannot listen on {wanted}"), &error);
            if error.kind() == ErrorKind::AddrInUse {
                failure.help(
                    "something listens there already: choose another port (`up --port`, `serve --listen`)",
                )
            } else {
                failure
            }
        })?;
        let address = socket.local_addr().context(|| "cannot tell the port")?;
        let renewal = config.tls.clone().map(Renewal::new).transpose()?;
        let near = match &config.tls {
            Some(_) => {
                let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
                Some(bound.context(|| "cannot listen on the loopback")?)
            }
            None => None,
        };
        Ok(Self {
            socket,
            address,
            api,
            config,
            near,
            renewal,
        })
    }

    /// The address at which commands of this machine find it by its state folder.
    pub(crate) fn url_nearby(&self) -> String {
        let near = self.near.as_ref().and_then(|near| near.local_addr().ok());
        near.map_or_else(|| self.url(), |address| format!("http://{address}"))
    }

    /// The address as people are told it.
    pub(crate) fn url(&self) -> String {
        let host = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        let scheme = if self.config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", SocketAddr::new(host, self.address.port()))
    }

    /// Answers until one of the tokens is cancelled, and a little longer for what is under way.
    pub(crate) async fn serve(
        mut self,
        stop: &CancellationToken,
        broken: &CancellationToken,
    ) -> Result<(), Failure> {
        let ending = broken.child_token();
        let renewal = self.renewal.take();
        let serving = self.serve_all(ending.clone());
        let renewing = async {
            if let Some(renewal) = renewal {
                renewal.at_each_hangup().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(serving);
        tokio::select! {
            outcome = &mut serving => return outcome.context(|| "the API stopped"),
            () = renewing => {}
            () = stop.cancelled() => ending.cancel(),
        }
        serving.await.context(|| "the API stopped")
    }

    /// Answers at both ports.
    async fn serve_all(self, ending: CancellationToken) -> Result<(), ServeError> {
        let far = tidemill_coordinator::serve(self.socket, self.api.clone(), self.config, ending.clone());
        let Some(near) = self.near else {
            return far.await;
        };
        let near = tidemill_coordinator::serve(near, self.api, ServeConfig::default(), ending);
        tokio::try_join!(far, near).map(|_| ())
    }
}
