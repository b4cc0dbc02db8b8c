//! The settings of the mail server, read together because they stand and fall together.

use super::invalid;
use super::layers::Layers;
use crate::exit::Exit;
use crate::failure::Failure;
use std::net::IpAddr;
use tidemill_coordinator::{SmtpConfig, SmtpLogin, SmtpPassword, SmtpSecurity};

impl Layers {
    /// The mail server; none when nobody names one.
    pub(super) fn smtp(&self) -> Result<Option<SmtpConfig>, Failure> {
        let Some(host) = self.text("smtp_host")? else {
            return Ok(None);
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(is_name) {
            let setting = &self.0["smtp_host"];
            return Err(invalid(
                "smtp_host",
                setting,
                "the name or address of a machine, without a port",
            ));
        }
        let from = self.parsed(
            "smtp_from",
            |text| text.parse().ok(),
            "an address such as tidemill@example.org",
        )?;
        let from = from.ok_or_else(|| {
            Failure::new(Exit::Usage, "`smtp_host` is of no use without `smtp_from`")
                .help("say from whom mail comes: smtp_from = \"tidemill@example.org\"")
        })?;
        let security = self.smtp_security(&host)?;
        let port = match self.number("smtp_port", 1, 65_535)? {
            Some(port) => u16::try_from(port).expect("the range was checked"),
            None => match security {
                SmtpSecurity::StartTls => 587,
                SmtpSecurity::Tls => 465,
                SmtpSecurity::Plaintext => 25,
            },
        };
        Ok(Some(SmtpConfig {
            host,
            port,
            security,
            login: self.smtp_login()?,
            ca: self.path("smtp_ca")?,
            from,
        }))
    }

    fn smtp_security(&self, host: &str) -> Result<SmtpSecurity, Failure> {
        let read = |text: &str| match text {
            "starttls" => Some(SmtpSecurity::StartTls),
            "tls" => Some(SmtpSecurity::Tls),
            "none" => Some(SmtpSecurity::Plaintext),
            _ => None,
        };
        let security = self.parsed("smtp_tls", read, "starttls, tls or none")?;
        let security = security.unwrap_or(SmtpSecurity::StartTls);
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if security == SmtpSecurity::Plaintext && !is_here && !self.flag("smtp_insecure_plaintext")? {
            let what = format!("mail would cross the network to {host} in the open, its password too");
            return Err(Failure::new(Exit::Usage, what)
                .help("use smtp_tls = \"starttls\" or \"tls\"; where the network itself is safe, smtp_insecure_plaintext = true"));
        }
        Ok(security)
    }

    fn smtp_login(&self) -> Result<Option<SmtpLogin>, Failure> {
        let file = self.path("smtp_password_file")?.map(SmtpPassword::File);
        let secret = self.parsed(
            "smtp_password_secret",
            |text| text.parse().ok(),
            "the name of a secret",
        )?;
        let secret = secret.map(SmtpPassword::Secret);
        if file.is_some() && secret.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "`smtp_password_file` and `smtp_password_secret` both say where the password is",
            )
            .help("keep one of them"));
        }
        match (self.text("smtp_user")?, file.or(secret)) {
            (Some(user), Some(password)) => Ok(Some(SmtpLogin { user, password })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(
                Failure::new(Exit::Usage, "`smtp_user` is of no use without a password")
                    .help("name a file with it by smtp_password_file, or a secret by smtp_password_secret"),
            ),
            (None, Some(_)) => Err(Failure::new(
                Exit::Usage,
                "a password for the mail server is of no use without `smtp_user`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{Environment, Given, Settings};
    use tidemill_coordinator::{SmtpConfig, SmtpSecurity};

    fn read(text: &str) -> Result<Option<SmtpConfig>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidemill.toml"), text).unwrap();
        let environment = Environment::of(&[("HOME", "/home/nobody-at-all")]);
        let settings = Settings::resolve(environment, &Given::default(), folder.path());
        settings
            .map(|settings| settings.smtp)
            .map_err(|failure| failure.what.clone())
    }

    #[test]
    fn a_server_is_spoken_to_by_starttls_unless_somebody_says_otherwise() {
        assert_eq!(read("").unwrap(), None);
        let server = "smtp_host = \"mail.example.org\"\nsmtp_from = \"tidemill@example.org\"\n";
        let smtp = read(server).unwrap().unwrap();
        assert_eq!((smtp.security, smtp.port), (SmtpSecurity::StartTls, 587));
        let smtp = read(&format!("{server}smtp_tls = \"tls\"\n")).unwrap().unwrap();
        assert_eq!((smtp.security, smtp.port), (SmtpSecurity::Tls, 465));
    }

    #[test]
    fn nothing_crosses_a_network_in_the_open_without_a_word() {
        let open = |host: &str, more: &str| {
            read(&format!(
                "smtp_host = \"{host}\"\nsmtp_from = \"a@example.org\"\nsmtp_tls = \"none\"\n{more}"
            ))
        };
        assert!(open("mail.example.org", "").unwrap_err().contains("in the open"));
        assert!(open("10.0.0.7", "").is_err());
        for (host, more) in [
            ("localhost", ""),
            ("127.0.0.1", ""),
            ("::1", ""),
            ("mail.example.org", "smtp_insecure_plaintext = true\n"),
        ] {
            let smtp = open(host, more).unwrap().unwrap();
            assert_eq!(
                (smtp.security, smtp.port),
                (SmtpSecurity::Plaintext, 25),
                "{host}"
            );
        }
    }

    #[test]
    fn half_a_server_and_half_a_login_are_refused() {
        let server = "smtp_host = \"mail.example.org\"\nsmtp_from = \"a@example.org\"\n";
        for (text, word) in [
            ("smtp_host = \"mail.example.org\"\n".to_owned(), "smtp_from"),
            (
                "smtp_host = \"mail.example.org\"\nsmtp_from = \"A <a@b>\"\n".to_owned(),
                "an address such as",
            ),
            (
                "smtp_host = \"smtp://mail\"\nsmtp_from = \"a@example.org\"\n".to_owned(),
                "without a port",
            ),
            (format!("{server}smtp_user = \"ada\"\n"), "password"),
            (format!("{server}smtp_password_file = \"p\"\n"), "smtp_user"),
            (
                format!(
                    "{server}smtp_user = \"ada\"\nsmtp_password_file = \"p\"\nsmtp_password_secret = \"s\"\n"
                ),
                "both",
            ),
        ] {
            let refused = read(&text).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
