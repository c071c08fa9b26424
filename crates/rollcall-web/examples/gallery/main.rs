//! The living style guide: every page of the toolkit with made-up data on a port of loopback.
//! Run `cargo run -p rollcall-web --example gallery` and open the printed address; a port can be given.

mod records;
mod sample;

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use rollcall_web::error::Source;
use rollcall_web::form::CheckedQuery;
use rollcall_web::headers::HostList;
use rollcall_web::layout::Frame;
use rollcall_web::login::{AccountView, Accounts, LoginEvent};
use rollcall_web::page::organisations::OrganisationFilter;
use rollcall_web::site::Program;
use rollcall_web::{Page, Site, SiteConfig, Visit, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Nobody can sign in; the pages are open.
struct Nobody;

impl Accounts for Nobody {
    fn find_by_name(&self, _name: &str) -> Result<Option<AccountView>, Source> {
        Ok(None)
    }

    fn find_by_id(&self, _id: &str) -> Result<Option<AccountView>, Source> {
        Ok(None)
    }

    fn set_password(&self, _id: &str, _password_hash: &str) -> Result<(), Source> {
        Ok(())
    }

    fn audit(&self, _event: &LoginEvent) -> Result<(), Source> {
        Ok(())
    }
}

fn frame(visit: &Visit, section: &'static str) -> Frame {
    sample::signed_in(visit.frame(section))
}

async fn organisations(
    visit: Visit,
    CheckedQuery(filter): CheckedQuery<OrganisationFilter>,
) -> impl IntoResponse {
    Page(sample::organisations(frame(&visit, "nav.organisations"), filter))
}

fn router() -> Router {
    macro_rules! show {
        ($page:ident, $section:literal) => {
            get(|visit: Visit| async move { Page(sample::$page(frame(&visit, $section))) })
        };
    }
    macro_rules! record {
        ($page:ident, $section:literal) => {
            get(|visit: Visit| async move { Page(records::$page(frame(&visit, $section))) })
        };
    }
    Router::new()
        .route("/unions", record!(unions, "nav.unions"))
        .route("/unions/1", record!(union, "nav.unions"))
        .route("/subsidies", record!(subsidies, "nav.subsidies"))
        .route("/subsidies/1", record!(subsidy, "nav.subsidies"))
        .route("/funds/1", record!(fund, "nav.subsidies"))
        .route("/", show!(overview, "nav.overview"))
        .route("/overview", show!(overview, "nav.overview"))
        .route("/organisations", get(organisations))
        .route("/organisations/1", show!(organisation, "nav.conflicts"))
        .route("/organisations/edit", show!(organisation_edit, "nav.subsidies"))
        .route("/import", show!(import, "nav.import"))
        .route("/import/plan", show!(import_plan, "nav.import"))
        .route("/sync", show!(sync, "nav.sync"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let config = SiteConfig {
        program: Program::Node,
        place: "杭州市西湖区总工会".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: "gallery".to_owned(),
        hosts: HostList::loopback(address.port()),
        tls: false,
        navigation: sample::NODE.to_vec(),
        clock: Arc::new(|| sample::NOW_UNIX_MS),
    };
    let site = Site::new(config, Arc::new(Nobody));
    #[expect(
        clippy::print_stdout,
        reason = "the address is what the reader of an example needs"
    )]
    {
        println!("http://{address}/");
    }
    serve::serve(listener, site.wrap(router()), CancellationToken::new()).await;
    Ok(())
}
