import Foundation

/// A verb the admin CLI runs inside the process, over `admin.sock`. Arguments and result are JSON; their Swift types are
/// declared once in the service's module and used at both ends.
package struct AdminVerb: Sendable {
    /// E.g. `keys.create`.
    package let name: String
    /// Takes the arguments' JSON, gives the result's. - Throws: `CallError`; its message is shown to the operator.
    package let run: @Sendable (String) async throws -> String

    /// A verb with typed arguments and result.
    package init<Arguments: Decodable & SendableMetatype, Result: Encodable & SendableMetatype>(
        _ name: String, _ body: @escaping @Sendable (Arguments) async throws -> Result
    ) {
        self.name = name
        self.run = { text in
            let arguments = try AdminJSON.decode(Arguments.self, text)
            return try AdminJSON.encode(try await body(arguments))
        }
    }
}

/// For verbs that take no arguments or give no result.
package struct NoValue: Codable, Sendable {
    /// Nothing.
    package init() {}
}
