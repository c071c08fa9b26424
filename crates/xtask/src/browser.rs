//! Pages of a running program as a browser gets them: one connection kept open, cookies kept, forms filled in.
//! Owns asking; what a page must hold is the caller's.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::loopback::Account;

/// What an account made by `init` gets as its own password.
const OWN_PASSWORD: &str = "seven quiet rivers";

/// A browser at one address.
pub(crate) struct Browser {
    runtime: Runtime,
    connection: SendRequest<Full<Bytes>>,
    host: String,
    cookies: BTreeMap<String, String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> Result<&str> {
        let opening = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&opening).with_context(|| {
            format!(
                "find the field {name} of a form that was answered with {}",
                self.status
            )
        })?;
        Ok(rest.split('"').next().unwrap_or_default())
    }
}

impl Browser {
    /// Connects to `http://host:port`.
    pub(crate) fn open(address: &str) -> Result<Self> {
        let host = address.trim_start_matches("http://").to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the runtime")?;
        Ok(Self {
            connection: connect(&runtime, &host)?,
            runtime,
            host,
            cookies: BTreeMap::new(),
        })
    }

    /// Connects anew, where the program on the other side has gone; signed in as before.
    pub(crate) fn connect_again(&mut self) -> Result<()> {
        self.connection = connect(&self.runtime, &self.host)?;
        Ok(())
    }

    /// Asks for a page.
    pub(crate) fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Request::get(path), Bytes::new())
    }

    /// Signs in with a one-time password and replaces it by one of its own.
    pub(crate) fn sign_in(&mut self, account: &Account) -> Result<()> {
        let fields = [
            ("name", account.name.as_str()),
            ("password", account.password.as_str()),
        ];
        self.submit("/login", &fields)?;
        let fields = [
            ("present", account.password.as_str()),
            ("new", OWN_PASSWORD),
            ("again", OWN_PASSWORD),
        ];
        let answer = self.submit("/password", &fields)?;
        ensure!(
            answer.status == StatusCode::SEE_OTHER,
            "the sign-in was answered with {}",
            answer.status
        );
        Ok(())
    }

    /// Signs in anew under a name that has signed in before: the program keeps nobody signed in over its own end.
    pub(crate) fn sign_in_again(&mut self, name: &str) -> Result<()> {
        let fields = [("name", name), ("password", OWN_PASSWORD)];
        let answer = self.submit("/login", &fields)?;
        ensure!(
            answer.status == StatusCode::SEE_OTHER,
            "the sign-in was answered with {}",
            answer.status
        );
        Ok(())
    }

    /// Opens a form, fills it in and sends it to where it came from.
    fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let form = self.get(path)?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        for name in ["form_token", "form_once"] {
            body.append_pair(name, form.hidden(name)?);
        }
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body.finish().into())
    }

    fn send(&mut self, request: http::request::Builder, body: Bytes) -> Result<Answer> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header(header::HOST, &self.host)
            .header(header::COOKIE, cookies.join("; "))
            .body(Full::new(body))
            .context("make a request")?;
        let connection = &mut self.connection;
        let (parts, body) = self.runtime.block_on(async {
            connection.ready().await?;
            let (parts, body) = connection.send_request(request).await?.into_parts();
            anyhow::Ok((parts, body.collect().await?.to_bytes()))
        })?;
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap_or_default().split(';').next();
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Answer {
            status: parts.status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

fn connect(runtime: &Runtime, host: &str) -> Result<SendRequest<Full<Bytes>>> {
    let connection = runtime.block_on(async {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        anyhow::Ok(connection)
    });
    connection.with_context(|| format!("connect to {host}"))
}
