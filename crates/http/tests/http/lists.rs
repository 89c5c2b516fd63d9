//! Lists of jobs.

use serde_json::{Value, json};

use crate::common::{Request, Server};

fn ids(list: &Value) -> Vec<String> {
    list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page() {
    let server = Server::start().await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(server.submit(&format!(r#"{{"queue":"q","payload":{number}}}"#)).await);
    }
    all.reverse();
    let whole = server.call(Request::get("/v1/jobs")).await;
    assert_eq!((ids(&whole.json()), whole.at("/next_page_token")), (all.clone(), json!(null)));
    assert_eq!((whole.at("/jobs/0/payload"), whole.at("/jobs/0/payload_info/size")), (json!(null), json!(1)));

    let mut found = Vec::new();
    let mut target = "/v1/jobs?page_size=2&queue=q".to_owned();
    loop {
        let page = server.call(Request::get(&target)).await;
        assert!(ids(&page.json()).len() <= 2);
        found.extend(ids(&page.json()));
        match page.at("/next_page_token") {
            Value::String(token) => target = format!("/v1/jobs?page_token={token}&queue=q&page_size=2"),
            _ => break,
        }
    }
    assert_eq!(found, all);
}

#[tokio::test]
async fn a_list_is_narrowed_by_what_is_asked() {
    let server = Server::start().await;
    let a = server.submit(r#"{"queue":"a","type":"x","tags":["red"],"idempotency_key":"k,1"}"#).await;
    let b = server.submit(r#"{"queue":"b","type":"y","tags":["red","blue"]}"#).await;
    server.submit(r#"{"queue":"b"}"#).await;
    server.lease("a").await;
    let created = server.job(&a).await.text("/created_at");
    let list = async |query: &str| {
        let list = server.call(Request::get(&format!("/v1/jobs?{query}"))).await.json();
        ids(&list)
            .iter()
            .map(|id| {
                if *id == a {
                    'a'
                } else if *id == b {
                    'b'
                } else {
                    'c'
                }
            })
            .collect::<String>()
    };
    assert_eq!(list("queue=a").await, "a");
    assert_eq!(list("queue=a,b").await, "cba");
    assert_eq!(list("status=PROCESSING").await, "a");
    assert_eq!(list("status=INIT,PROCESSING&queue=b").await, "cb");
    assert_eq!(list("type=y,z").await, "b");
    assert_eq!(list("tag=red").await, "ba");
    assert_eq!(list("tag=blue,green").await, "b");
    assert_eq!(list("idempotency_key=k%2C1").await, "a");
    assert_eq!(list(&format!("created_after={created}")).await, "cba");
    assert_eq!(list(&format!("created_before={created}")).await, "");
    assert_eq!(list("created_before=2020-01-01T00:00:00%2B01:00").await, "");
}

#[tokio::test]
async fn what_no_list_can_be_made_of_is_named() {
    let server = Server::start().await;
    for query in ["a", "b"] {
        server.submit(&format!(r#"{{"queue":"{query}"}}"#)).await;
    }
    let list = async |query: &str| server.call(Request::get(&format!("/v1/jobs?{query}"))).await;
    for (query, pointer) in [
        ("queue=a%20b", "/queue"),
        ("queue=", "/queue"),
        ("status=done", "/status"),
        ("status=INIT,", "/status"),
        ("tag=", "/tag"),
        ("created_after=yesterday", "/created_after"),
        ("page_size=0", "/page_size"),
        ("page_size=1001", "/page_size"),
        ("page_token=x", "/page_token"),
        ("flow=f", "/flow"),
        ("payload=1", "/payload"),
        ("sort=id", "/sort"),
        (&format!("type={}", "x".repeat(256)), "/type"),
        (&format!("type={}", ["x"; 101].join(",")), "/type"),
    ] {
        list(query).await.is_problem(400, "invalid-request").points_at(pointer);
    }
    assert_eq!(list(&format!("type={}", ["x"; 100].join(","))).await.status, 200);
    assert_eq!(list("page_size=1000").await.status, 200);
    list("queue=ackd.x").await.is_problem(403, "forbidden");
    let token = list("page_size=1").await.text("/next_page_token");
    assert_eq!(list(&format!("page_size=1&page_token={token}")).await.status, 200);
    // A token is of one list.
    list(&format!("queue=a&page_token={token}")).await.is_problem(400, "invalid-request").points_at("/page_token");
}
