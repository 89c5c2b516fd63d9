//! The OpenAPI document (3.1), made of the table of operations and the schemas of the API's types.

use std::collections::BTreeMap;

use ackd_api::{Code, Problem};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::answer;
use crate::app::Shared;
use crate::call::{Call, Outcome};
use crate::routes::{ALWAYS, Content, OPERATIONS, Operation, Parameter, WITH_BODY};

/// `GET /openapi.json`.
pub(crate) async fn show(mut call: Call) -> Outcome {
    call.no_body().await?;
    let shared = call.shared();
    let document = shared.openapi.get_or_init(|| Bytes::from(document(shared).to_string()));
    Ok(answer::whole(StatusCode::OK, HeaderValue::from_static(ackd_domain::JSON), document.clone()))
}

fn document(shared: &Shared) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described(operation, &mut schemas);
    }
    let server = shared.public_url.as_deref().unwrap_or("/");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ackd",
            "version": shared.version,
            "description": "Makes slow work asynchronous: accepts a request, acknowledges it, does it later and tells the \
                            client.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": schemas.take_definitions(true)},
    })
}

fn described(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if let Some((_, rest)) = operation.path.split_once('{')
        && let Some((name, _)) = rest.split_once('}')
    {
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    let mut add = |place: &str, given: &[Parameter]| {
        for Parameter { name, what, schema, .. } in given {
            parameters.push(json!({"name": name, "in": place, "description": what, "schema": schema(schemas)}));
        }
    };
    add("query", operation.query);
    add("header", operation.headers);
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": answers(operation, schemas),
    });
    if !operation.bodies.is_empty() {
        described["requestBody"] = json!({"content": content(operation.bodies, schemas)});
    }
    described
}

fn answers(operation: &Operation, schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let mut answers = Map::new();
    for answer in operation.answers {
        let mut described = json!({"description": answer.what});
        if !answer.content.is_empty() {
            described["content"] = content(answer.content, schemas);
        }
        if !answer.headers.is_empty() {
            let headers = answer.headers.iter().map(|name| ((*name).to_owned(), json!({"schema": {"type": "string"}})));
            described["headers"] = headers.collect::<Map<_, _>>().into();
        }
        answers.insert(answer.status.to_string(), described);
    }
    for (status, codes) in problems(operation) {
        let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}", code.title())).collect();
        let schema = schemas.subschema_for::<Problem>();
        let content = json!({(ackd_api::problem::MEDIA_TYPE): {"schema": schema}});
        answers.insert(status.to_string(), json!({"description": codes.join("; "), "content": content}));
    }
    answers
}

/// The problems of an operation, by status.
fn problems(operation: &Operation) -> BTreeMap<u16, Vec<Code>> {
    let with_body = matches!(operation.method, Method::POST | Method::PUT | Method::PATCH);
    let groups = operation.problems.iter().copied().chain([ALWAYS]).chain(with_body.then_some(WITH_BODY));
    let mut problems: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in groups.flatten() {
        let codes = problems.entry(code.status()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    problems
}

fn content(bodies: &[Content], schemas: &mut SchemaGenerator) -> Value {
    let content = bodies.iter().map(|Content { media_type, schema }| {
        let described = match schema {
            Some(schema) => json!({"schema": schema(schemas)}),
            None => json!({}),
        };
        ((*media_type).to_owned(), described)
    });
    content.collect::<Map<_, _>>().into()
}
