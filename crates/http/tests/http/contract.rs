//! Whether answers are what `/openapi.json` says they are.

use serde_json::Value;

use crate::common::{Answer, Request};

/// The template of the document's paths that `path` fits, the literal one first.
pub(crate) fn template<'d>(document: &'d Value, path: &str) -> Option<(&'d str, &'d Value)> {
    let paths = document["paths"].as_object().unwrap();
    let literal = paths.get_key_value(path);
    let fits = |template: &str| {
        let (pattern, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let alike =
            |(pattern, given): (&&str, &&str)| pattern == given || (pattern.starts_with('{') && !given.is_empty());
        pattern.len() == given.len() && pattern.iter().zip(&given).all(alike)
    };
    literal.or_else(|| paths.iter().find(|(template, _)| fits(template))).map(|(template, path)| (&**template, path))
}

/// Checks an answer against the document.
pub(crate) fn check(document: &Value, request: &Request, answer: &Answer) {
    let path = request.target().split('?').next().unwrap();
    let method = if request.method() == "HEAD" { "get".to_owned() } else { request.method().to_ascii_lowercase() };
    let operation = template(document, path).map(|(_, path)| &path[&method]);
    let Some(operation) = operation.filter(|operation| operation.is_object()) else {
        // What leads nowhere is a problem, but for `OPTIONS`.
        assert!(matches!(answer.status, 400..=405 | 421) || method == "options", "{} {path}: {answer:?}", method);
        return;
    };
    let what = format!("{} {} answered {answer:?}", request.method(), request.target());
    let described = &operation["responses"][answer.status.to_string()];
    assert!(described.is_object(), "an answer that is not described: {what}");
    if answer.body.is_empty() {
        return;
    }
    let given = answer.header("content-type").unwrap_or_default();
    let essence = given.split(';').next().unwrap().trim();
    let content = described["content"].as_object().unwrap_or_else(|| panic!("a body that is not described: {what}"));
    let form = content.get(essence).or_else(|| content.get("*/*"));
    let form = form.unwrap_or_else(|| panic!("a media type that is not described: {what}"));
    let Some(schema) = form.get("schema") else { return };
    match essence {
        "application/json" | "application/problem+json" | "application/cloudevents+json" => {
            fits(document, schema, &answer.json(), "", &what)
        }
        "application/x-ndjson" => answer.lines().iter().for_each(|line| fits(document, schema, line, "", &what)),
        _ => {}
    }
}

/// Checks a value against a schema: the part of JSON Schema that the document uses.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str, what: &str) {
    if let Err(why) = fit(document, schema, value, at) {
        panic!("{why}: {what}");
    }
}

fn fit(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Ok(()) };
    if let Some(reference) = schema.get("$ref") {
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        let target = document.pointer(pointer).ok_or_else(|| format!("{pointer} leads nowhere"))?;
        fit(document, target, value, at)?;
    }
    for group in ["anyOf", "oneOf"] {
        if let Some(forms) = schema.get(group).and_then(Value::as_array)
            && !forms.iter().any(|form| fit(document, form, value, at).is_ok())
        {
            return Err(format!("{at} is none of {forms:?}"));
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        all.iter().try_for_each(|form| fit(document, form, value, at))?;
    }
    if let Some(kind) = schema.get("type") {
        let kinds: Vec<&str> = kind
            .as_array()
            .map_or_else(|| vec![kind.as_str().unwrap()], |all| all.iter().filter_map(Value::as_str).collect());
        let is = |kind: &&str| match *kind {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("an unknown type {other}"),
        };
        if !kinds.iter().any(is) {
            return Err(format!("{at} is {value} and no {kinds:?}"));
        }
    }
    if let Some(known) = schema.get("enum").and_then(Value::as_array)
        && !known.contains(value)
    {
        return Err(format!("{at} is {value} and none of {known:?}"));
    }
    if let Some(only) = schema.get("const")
        && only != value
    {
        return Err(format!("{at} is {value} and not {only}"));
    }
    if let Some(items) = schema.get("items") {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            fit(document, items, item, &format!("{at}/{index}"))?;
        }
    }
    let Some(fields) = value.as_object() else { return Ok(()) };
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return Err(format!("{at}/{} is missing", name.as_str().unwrap()));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, field) in fields {
        let at = format!("{at}/{name}");
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => fit(document, schema, field, &at)?,
            // What is not described is not there: the server must not know more than its document.
            None if properties.is_some() && schema.get("additionalProperties").is_none() => {
                return Err(format!("{at} is not described"));
            }
            None => {}
        }
    }
    Ok(())
}
