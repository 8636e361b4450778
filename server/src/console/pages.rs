//! The pages, rendered with the state of the moment, and the files they load.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, Request, header};
use axum::response::{IntoResponse, Response};
use leptos::prelude::{LeptosOptions, provide_context, use_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use super::auth::Access;
use super::auth::page::visitor;
use super::files::{Files, REVALIDATE};
use super::{Console, policy};

/// Routes of all pages; what is no page is looked up among the files.
pub fn router(console: &Arc<Console>) -> Router<Arc<Console>> {
    let options = console.site.options();
    let routes = generate_route_list(app::App);
    let context = {
        let console = Arc::clone(console);
        move || dress(&console, &app::requested())
    };
    let pages: Router<LeptosOptions> = Router::new()
        .leptos_routes_with_context(&options, routes, context, {
            let options = options.clone();
            move || app::shell(options.clone())
        })
        .fallback(file_or_missing);
    let files = Arc::new(Files::new(console.site.root()));
    let console = Arc::clone(console);
    pages.layer(axum::Extension(console)).layer(axum::Extension(files)).with_state(options)
}

/// What a page has to know before it is drawn.
fn dress(console: &Console, path: &str) {
    policy::declare();
    let access = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Access>().cloned());
    // Who is nobody sees no page but the login; what is drawn without the guard before it shows nothing.
    match access {
        Some(Access::Open) => provide_context(console.initial(path)),
        Some(Access::Known(who)) => {
            provide_context(visitor(&who));
            provide_context(console.initial(path));
        }
        Some(Access::Nobody) | None => {}
    }
}

async fn file_or_missing(
    State(options): State<LeptosOptions>,
    axum::Extension(console): axum::Extension<Arc<Console>>,
    axum::Extension(files): axum::Extension<Arc<Files>>,
    request: Request<axum::body::Body>,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && let Some(found) = files.answer(request.uri().path(), request.headers()).await {
        return found;
    }
    let (parts, body) = request.into_parts();
    let file = Request::from_parts(parts.clone(), axum::body::Body::empty());
    match ServeDir::new(console.site.root()).oneshot(file).await {
        Ok(found) if found.status().is_success() || found.status().is_redirection() => {
            let mut found = found.into_response();
            found.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
            found
        }
        _ if matches!(parts.extensions.get(), Some(Access::Nobody) | None) => {
            super::error::ApiError::not_found("there is no such file").into_response()
        }
        _ => {
            let page = leptos_axum::render_app_to_stream_with_context(
                move || dress(&console, ""),
                move || app::shell(options.clone()),
            );
            let mut missing = page(Request::from_parts(parts, body)).await.into_response();
            *missing.status_mut() = axum::http::StatusCode::NOT_FOUND;
            missing
        }
    }
}
