//! The four parameters of every list in the API's description, each with what this list takes.

use super::ask::Asked;
use super::orders::Listed;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

impl<T: Listed> IntoParams for Asked<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let bounds = T::BOUNDS;
        let absent = match (bounds.is_always_paged, bounds.default) {
            (true, default) => format!("{default} when absent"),
            (false, default) => format!("when absent, all of them, or {default} after a `cursor`"),
        };
        let limit = format!("How many, at most {}; {absent}.", bounds.max);
        let mut number = of(Type::Integer).minimum(Some(1));
        if !bounds.is_lenient {
            number = number.maximum(Some(bounds.max));
        }
        let cursor =
            "The `next_cursor` of the page before, which was asked for with the same filters and order.";
        let sort = format!(
            "The order, by a field or, with `-` before it, the other way round; `{}` when absent. What is empty counts as smallest.",
            T::DEFAULT
        );
        let both = |field: &&str| {
            [
                Some((*field).to_owned()),
                (!bounds.is_one_way).then(|| format!("-{field}")),
            ]
        };
        let words = T::FIELDS.iter().flat_map(both).flatten();
        let words = of(Type::String).enum_values(Some(words));
        let mut all = vec![
            parameter("limit", &limit, number),
            parameter("cursor", cursor, of(Type::String)),
            parameter("sort", &sort, words),
        ];
        if let Some(searched) = T::SEARCHED {
            let search =
                format!("Only those whose {searched} holds this text, in small letters or capitals.");
            all.push(parameter("search", &search, of(Type::String)));
        }
        all
    }
}

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
