/// What limits are called in headers and errors: whose it is, and of what, e.g. `user-tokens`.
enum LimitName {
    static let requests = "requests"
    static let tokens = "tokens"
    static let concurrency = "concurrency"
    static let budget = "budget"

    /// - Parameter scope: as session tells it; an unknown one is the key's.
    static func text(_ kind: String, _ scope: String) -> String { "\(self.scope(scope))-\(kind)" }

    static func scope(_ scope: String) -> String { scope == "user" || scope == "tenant" ? scope : "key" }
}
