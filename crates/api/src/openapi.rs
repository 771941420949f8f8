//! The OpenAPI 3.1 document, generated from the endpoint descriptions.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
    RefOr, Required, ResponseBuilder, Schema, Type,
};

use crate::{
    Access, Endpoint, ErrorBody, Method, NoBody, NoContent, NoQuery, PlainText, audit, incidents, keys, locks,
    receipts, system, users, verifiers, verify,
};

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Generates the document that describes every endpoint.
#[must_use]
pub fn document() -> OpenApi {
    let mut draft = Draft::default();
    draft.add::<users::ViewFirstUser>();
    draft.add::<users::CreateFirstUser>();
    draft.add::<users::Login>();
    draft.add::<users::Logout>();
    draft.add::<users::ListUsers>();
    draft.add::<users::CreateUser>();
    draft.add::<users::ViewUser>();
    draft.add::<users::DeleteUser>();
    draft.add::<users::ViewRoles>();
    draft.add::<users::EditRoles>();
    draft.add::<users::SuspendUser>();
    draft.add::<users::ActivateUser>();
    draft.add::<users::SetPassword>();
    draft.add::<keys::CreateSessionKey>();
    draft.add::<keys::ListKeys>();
    draft.add::<keys::CreateToken>();
    draft.add::<keys::ListTokens>();
    draft.add::<keys::ViewTokenConfig>();
    draft.add::<keys::ViewTokenByName>();
    draft.add::<keys::ViewKey>();
    draft.add::<keys::ExpireKey>();
    draft.add::<keys::DeleteKey>();
    draft.add::<keys::ViewKeyActivity>();
    draft.add::<keys::IdentifyKey>();
    draft.add::<incidents::ExpireKeys>();
    draft.add::<incidents::ListIncidents>();
    draft.add::<incidents::ViewIncident>();
    draft.add::<receipts::ViewKeyReceipt>();
    draft.add::<receipts::ViewIncidentReceipt>();
    draft.add::<locks::AddLock>();
    draft.add::<locks::ListLocks>();
    draft.add::<locks::RemoveLock>();
    draft.add::<verify::VerifyKey>();
    draft.add::<verify::VerifyKeys>();
    draft.add::<verifiers::PollVerifier>();
    draft.add::<verifiers::LookUpKey>();
    draft.add::<verifiers::ListVerifiers>();
    draft.add::<verify::Introspect>();
    draft.add::<verify::Revoke>();
    draft.add::<audit::ListAudit>();
    draft.add::<audit::ViewAuditCheckpoint>();
    draft.add::<audit::ViewAuditTree>();
    draft.add::<audit::ListAuditLeaves>();
    draft.add::<audit::ListUnsealedAudit>();
    draft.add::<audit::ProveAuditEntry>();
    draft.add::<system::ViewBuildInfo>();
    draft.add::<system::ListScopes>();
    draft.add::<system::ViewOpenApi>();
    draft.finish()
}

#[derive(Default)]
struct Draft {
    paths: PathsBuilder,
    schemas: Schemas,
}

impl Draft {
    fn add<E: Endpoint>(&mut self) {
        let mut operation = OperationBuilder::new()
            .operation_id(Some(E::NAME))
            .summary(Some(E::SUMMARY.trim()))
            .response(E::STATUS.to_string(), self.answer("Success.", media_type::<E>(), E::Response::describe))
            .response("default", self.answer("An error.", "application/json", ErrorBody::describe));
        for parameter in path_parameters(E::PATH).chain(query_parameters::<E>()) {
            operation = operation.parameter(parameter);
        }
        if let Some(schema) = E::Request::describe(&mut self.schemas) {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let body = RequestBodyBuilder::new().content(E::BODY.media_type(), content).required(Some(Required::True));
            operation = operation.request_body(Some(body.build()));
        }
        match E::ACCESS {
            Access::Public => {}
            Access::SignedIn => operation = operation.security(SecurityRequirement::new("key", NO_SCOPES)),
            Access::Needs(act) | Access::NeedsUnlessOneself(act) => {
                operation = operation.security(SecurityRequirement::new("key", [act.scope()]))
            }
        }
        let method = match E::METHOD {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Delete => HttpMethod::Delete,
        };
        let item = PathItem::new(method, operation.build());
        self.paths = std::mem::take(&mut self.paths).path(E::PATH, item);
    }

    fn answer(
        &mut self,
        words: &str,
        media_type: &str,
        describe: fn(&mut Schemas) -> Option<RefOr<Schema>>,
    ) -> utoipa::openapi::Response {
        let mut answer = ResponseBuilder::new().description(words);
        if let Some(schema) = describe(&mut self.schemas) {
            answer = answer.content(media_type, ContentBuilder::new().schema(Some(schema)).build());
        }
        answer.build()
    }

    fn finish(self) -> OpenApi {
        let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        // Sorted and without duplicates, so that the file changes only when the API does.
        let schemas: BTreeMap<String, RefOr<Schema>> = self.schemas.into_iter().collect();
        let components = ComponentsBuilder::new().schemas_from_iter(schemas).security_scheme("key", key);
        let info = InfoBuilder::new()
            .title("Keyward")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some("Keyward issues, scopes, expires and audits API keys."));
        OpenApiBuilder::new().info(info).paths(self.paths).components(Some(components.build())).build()
    }
}

/// The media type of a successful response.
fn media_type<E: Endpoint>() -> &'static str {
    if PlainText::is::<E::Response>() { "text/plain" } else { "application/json" }
}

const NO_SCOPES: [&str; 0] = [];

fn path_parameters(path: &str) -> impl Iterator<Item = Parameter> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    })
}

/// Turns each field of the query's schema into a parameter. No query parameter is required.
fn query_parameters<E: Endpoint>() -> impl Iterator<Item = Parameter> {
    let mut local = Schemas::new();
    E::Query::describe(&mut local);
    let fields = local.into_iter().filter_map(|(_, schema)| match schema {
        RefOr::T(Schema::Object(object)) => Some(object.properties),
        _ => None,
    });
    fields.flatten().map(|(name, schema)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .schema(Some(schema))
            .build()
    })
}

/// A shape that OpenAPI can describe.
pub trait Described {
    /// Its schema, after adding those it refers to; none for "nothing".
    fn describe(schemas: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>>;
}

impl<T: utoipa::ToSchema> Described for T {
    fn describe(schemas: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
        T::schemas(schemas);
        let own = T::schema();
        let name = T::name().into_owned();
        if matches!(&own, RefOr::T(Schema::Object(_) | Schema::AllOf(_))) {
            schemas.push((name.clone(), own));
            return Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name)));
        }
        Some(own)
    }
}

macro_rules! describe_nothing {
    ($($nothing:ty),*) => {$(
        impl Described for $nothing {
            fn describe(_: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
                None
            }
        }
    )*};
}
describe_nothing!(NoBody, NoQuery, NoContent);

impl Described for receipts::SignedReceipt {
    fn describe(schemas: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
        receipts::Receipt::describe(schemas)
    }
}

impl Described for PlainText {
    fn describe(_: &mut Vec<(String, RefOr<Schema>)>) -> Option<RefOr<Schema>> {
        Some(ObjectBuilder::new().schema_type(Type::String).into())
    }
}
