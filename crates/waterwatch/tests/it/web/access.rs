//! Who may ask for what: asked of every route that there is.

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::Server;

/// One route, and who may ask for it.
struct Route {
    method: Method,
    path: String,
    /// `None`: anyone.
    role: Option<String>,
    right: Option<String>,
}

/// All routes of a server, as it describes them.
fn routes(api: &Api) -> Vec<Route> {
    let document = api.get("/api/v1/openapi.json");
    assert_eq!(document.media_type, "application/json");
    let document = document.ok();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let access = &operation["x-access"];
            let word = |name: &str| access[name].as_str().map(str::to_owned);
            assert_eq!(access.is_null(), operation["security"].is_null(), "{method} {path}");
            // Something that fits each place in a path.
            let path = path.replace("{source}", "123").replace("{point}", "alarm1").replace("{id}", "123");
            let path = path.replace("{area}", "North").replace("{name}", "nobody");
            assert!(!path.contains('{'), "no value for a place in {path}");
            routes.push(Route { method, path, role: word("role"), right: word("right") });
        }
    }
    routes
}

#[test]
fn every_route_is_for_those_whom_it_names_and_for_nobody_else() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = server.api();
    let tokens: Vec<(&str, Vec<&str>, Api)> = [
        ("viewer", vec![]),
        ("viewer", vec!["report"]),
        ("operator", vec![]),
        ("operator", vec!["acknowledge"]),
        ("admin", vec![]),
        ("admin", vec!["acknowledge", "report"]),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (role, rights))| {
        let body = json!({"name": format!("token {number}"), "role": role, "may": rights});
        let made = admin.post("/api/v1/tokens", &body).ok();
        (role, rights, admin.with_token(made["secret"].as_str()))
    })
    .collect();
    let rank =
        |role: &str| ["viewer", "operator", "admin"].iter().position(|of| *of == role).expect("a role");

    let routes = routes(&admin);
    let open: Vec<&str> =
        routes.iter().filter(|route| route.role.is_none()).map(|route| route.path.as_str()).collect();
    assert_eq!(open, ["/healthz", "/readyz"], "nothing else is open to everybody");
    assert!(routes.len() > 15, "{} routes", routes.len());
    for Route { method, path, role, right } in &routes {
        // A body that no route takes: whoever gets through changes nothing.
        let ask = |api: &Api| {
            let request = api.request(method.clone(), path).header("accept", "text/plain");
            let request = if *method == Method::GET { request } else { request.body("{") };
            // Streams go on for ever: that they begin is seen by their head.
            if path.ends_with("/stream") {
                return request.send().expect("an answer").status().as_u16();
            }
            Api::send(request).status
        };
        for stranger in [None, Some("ww_nobody"), Some("")] {
            let status = ask(&admin.with_token(stranger));
            match role {
                Some(_) => assert_eq!(status, 401, "{method} {path} with {stranger:?}"),
                None => assert_eq!(status, 200, "{method} {path} with {stranger:?}"),
            }
        }
        for (of, rights, api) in &tokens {
            let Some(role) = role else { continue };
            let may = rank(of) >= rank(role) && right.as_deref().is_none_or(|right| rights.contains(&right));
            let status = ask(api);
            assert_eq!(status == 403, !may, "{method} {path} as {of} with {rights:?}: {status}");
            assert!(status != 401 && status != 500, "{method} {path} as {of}: {status}");
        }
    }
}

#[test]
fn a_token_that_is_revoked_opens_nothing_any_more() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = server.api();
    let made = admin.post("/api/v1/tokens", &json!({"name": "pager", "role": "viewer"})).ok();
    let pager = admin.with_token(made["secret"].as_str());
    assert_eq!(pager.get("/api/v1/refused").status, 200);
    pager.get("/api/v1/tokens").problem(403);
    assert_eq!(admin.delete("/api/v1/tokens/pager").status, 200);
    pager.get("/api/v1/refused").problem(401);
    admin.delete("/api/v1/tokens/nobody").problem(404);
    // Whoever has the only key must not throw it away.
    admin.delete("/api/v1/tokens/admin").problem(409);
    let page = admin.get("/api/v1/tokens?limit=1").ok();
    assert_eq!((page["tokens"][0]["name"].as_str(), page["next"].as_str()), (Some("admin"), Some("admin")));
    let rest = admin.get("/api/v1/tokens?limit=1&after=admin").ok();
    assert_eq!((rest["tokens"][0]["name"].as_str(), rest["next"].as_str()), (Some("pager"), None));
    let listed = admin.get("/api/v1/tokens").ok().to_string();
    assert!(listed.contains("pager") && !listed.contains("ww_"), "{listed}");
}
