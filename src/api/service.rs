//! The API as the transport calls it: finds the route of a request, and calls its handler.

use crate::api::call::Call;
use crate::api::dispatch::find;
use crate::api::route::Route;
use crate::app::App;
use crate::domain::Permission;
use crate::error::Result;
use crate::http::service::{Request, ResponseFuture, Service};
use hyper::Method;
use std::sync::Arc;

/// The routes of a table, over one [`App`].
pub(crate) struct Api {
    app: Arc<App>,
    table: &'static [Route],
}

impl Api {
    /// Serves the routes of `table`.
    pub(crate) fn new(app: Arc<App>, table: &'static [Route]) -> Self {
        Self { app, table }
    }
}

impl Service for Api {
    type Target = Route;

    fn find(&self, method: &Method, path: &str) -> Result<&'static Route> {
        find(self.table, method, path)
    }

    fn call(&self, route: &'static Route, request: Request) -> ResponseFuture {
        let app = Arc::clone(&self.app);
        let now = app.clock.now();
        let instant = app.clock.instant_at(request.came);
        let permission = route.permission.unwrap_or(Permission::WriteAll);
        let label = route.label();
        let cost = route.cost;
        route.answer(Box::new(Call { app, request, permission, cost, label, now, instant }))
    }
}
