import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct CacheExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Tells a request's key, and in which fields it differs from one that is cached.",
        discussion: """
            FILE holds a chat body in OpenAI's form (- is standard input). What is compared with is FILE2, or of the last 512
            requests whose answers were kept the one that differs least. Fields are named, their contents never shown. Nothing is sent.

            Example:
              bulkhead-router cache explain --request chat.json --tenant acme --user user:anna
            """)

    @OptionGroup var shared: SharedOptions
    @Option(help: "The request.") var request: String?
    @Option(help: "Instead of it: the x-request-id of one whose answer was kept.") var id: String?
    @Option(help: "A request to compare with.") var against: String?
    @Option(help: "Whose request it is: needed for its key.") var tenant: String?
    @Option(help: "Its user, as user:NAME, end:NAME (named in the body) or key:ID.") var user: String?

    func validate() throws {
        guard (request == nil) != (id == nil) else { throw ValidationError("give one of --request and --id") }
    }

    func run() async throws {
        let arguments = CacheExplainArguments(
            request: try request.map(Self.contents), requestID: id, against: try against.map(Self.contents), tenant: tenant,
            user: user)
        let told = try await AdminConnection(.router, shared).invoke("cache.explain", arguments, as: CacheExplanation.self)
        try show(told, shared, text: Self.text)
    }

    /// Looked at here, where its name is known.
    private static func contents(of name: String) throws -> String {
        try BodyFile.read(name) { body in
            guard let text = String(validating: body, as: UTF8.self) else {
                throw RequestSketch.Unreadable(description: "not UTF-8")
            }
            _ = try RequestFile.chat(text)
            return text
        }
    }

    private static func text(_ told: CacheExplanation) -> String {
        var lines = [["alias", told.alias], ["key", told.key ?? "(needs --tenant and --user)"]]
        if let kept = told.kept { lines.append(["kept answer", kept]) }
        if let reason = told.notCovered { lines.append(["not cached", reason]) }
        if let other = told.against { lines += rows(other, name: "against") }
        if let other = told.nearest { lines += rows(other, name: "nearest") }
        if told.against == nil, told.nearest == nil { lines.append(["nearest", "nothing is cached in this partition"]) }
        return table(lines)
    }

    private static func rows(_ other: CacheExplanation.Other, name: String) -> [[String]] {
        let origin = [other.requestID, other.tenant, other.user, other.ageSeconds.map { "\($0) s ago" }].compactMap(\.self)
        return [
            [name, ([other.key.isEmpty ? nil : other.key].compactMap(\.self) + origin).joined(separator: "  ")],
            ["differs in", other.differs.isEmpty ? "nothing" : other.differs.joined(separator: ", ")],
        ]
    }
}
