use axum::Router;
use axum::routing::get;
use socketio::Hub;

fn app(hub: &Hub) -> Router {
    let app: Router = Router::new().route("/socket.io/", get(hub.socketio()));
    app.nest("/rt", hub.socketio())
}

fn main() {
    let _ = app;
}
