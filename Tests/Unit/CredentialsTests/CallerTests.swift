import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import CredentialsService
import NIOCore
import Testing

private let text = """
    credentials:
      destinations:
        mine: { base_url: "https://api.example.com", callers: [edge] }
        limited: { base_url: "https://api.example.com", callers: [retrieval], methods: [GET], rate: { rpm: 1, burst: 1 } }
    """

/// The service, called as `retrieval`.
private struct Rig {
    let link: IPCLink
    let folder: TemporaryFolder
    let audit: AuditTrail

    init() async throws {
        folder = try TemporaryFolder()
        audit = try AuditTrail(folder: folder.path)
        let destinations = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml").service.destinations
        let client = try OutboundClient.make(EgressConfiguration())
        let table = DestinationTable(destinations, providers: [], vault: .open([:]))
        let service = CallService(CallSurroundings(table: table, client: client), audit: audit)
        link = try await InProcessTransport.connect(
            service: "credentials", methods: CredentialsMethods.serve(service), schemas: [CredentialsMethods.schema],
            link: LinkConfiguration(
                peer: "credentials", caller: "retrieval", socketPath: "", schemas: [CredentialsMethods.schema]),
            eventLoop: client.eventLoop)
    }

    func failure(_ destination: String, _ method: String = "GET", _ path: String = "/x") async -> CallError? {
        do {
            try await CredentialsClient(link: link).call(CallOptions(deadline: .now() + .seconds(20))) { writer, reader in
                try await writer.write(CredentialsAPI.CallRequest(destination: destination, method: method, path: path))
                writer.finish()
                while try await reader.next() != nil {}
            }
            return nil
        } catch { return error as? CallError }
    }
}

@Test("a destination that is not the caller's is answered like one that does not exist, and both are on record")
func sameAnswer() async throws {
    let rig = try await Rig()
    let foreign = try #require(await rig.failure("mine"))
    let absent = try #require(await rig.failure("none"))
    #expect(foreign.code == .notFound && foreign.reason == "destination_unknown")
    #expect(foreign.message.replacing("mine", with: "none") == absent.message && foreign.code == absent.code)
    #expect(foreign.reason == absent.reason && foreign.retryAfter == absent.retryAfter && foreign.detail == absent.detail)
    // Nor does a wrong method or path tell that the destination is there.
    #expect(await rig.failure("mine", "TRACE")?.reason == "destination_unknown")
    #expect(await rig.failure("mine", "GET", "/../x")?.reason == "destination_unknown")
    rig.audit.flush()
    let lines = try rig.audit.tail(10).map(String.init)
    #expect(lines.contains { $0.contains("\"mine\"") && $0.contains("\"caller_denied\"") && $0.contains("\"retrieval\"") })
    #expect(lines.contains { $0.contains("\"none\"") && $0.contains("\"destination_unknown\"") })
}

@Test(
    "a name that is none is not looked for and not repeated",
    arguments: [
        "../mine", "mine\0", "MINE", "mіne", "mine ", "mine\r\nX", String(repeating: "mine", count: 1024), "\u{1b}[31m", "",
    ])
func crookedNames(_ name: String) async throws {
    let rig = try await Rig()
    let error = try #require(await rig.failure(name))
    #expect(error.reason == "destination_unknown")
    if name != "MINE", !name.isEmpty { #expect(!error.message.contains(name)) }
    rig.audit.flush()
    let line = String(try rig.audit.tail(1).last ?? "")
    #expect(line.utf8.allSatisfy { (32 ..< 127).contains($0) } && line.utf8.count < 600)
}

@Test("calls beyond the rate are refused with the time to wait, and refused calls do not count")
func rate() async throws {
    let rig = try await Rig()
    #expect(await rig.failure("limited", "POST")?.reason == "destination_denied")
    // Admitted: it fails at the upstream, which is not there.
    let first = await rig.failure("limited", "GET")
    #expect(first?.reason != "rate_limited" && first?.reason != "destination_denied")
    let second = try #require(await rig.failure("limited", "GET"))
    #expect(second.code == .resourceExhausted && second.reason == "rate_limited")
    #expect(second.retryAfter.map { $0 > .seconds(30) && $0 <= .seconds(60) } == true)
}

@Test("a bucket gives its burst at once, then one call at a time")
func bucket() throws {
    let start = MonotonicTime.now()
    let rate = CallRate(RateRule(rpm: 60, burst: 2), now: start)
    #expect(rate.take(now: start) == nil && rate.take(now: start) == nil)
    #expect(rate.take(now: start) == .seconds(1))
    #expect(rate.take(now: start + .seconds(1)) == nil)
}

@Test("what the rest of the configuration refers to names its service as a caller, beside those that are listed")
func references() throws {
    let yaml = """
        router: { providers: [{ name: p, destination: llm, dialect: openai }] }
        retrieval: { embedder: { model: m, destination: vectors, dimensions: 3 }, reranker: { model: r, destination: llm } }
        telemetry: { otlp_export: { destination: collector }, alerts: { webhook_destination: pager } }
        """
    let references = ProviderReferences(try ConfigDocument.parse(yaml, file: "f.yaml"))
    #expect(references.callers(of: "llm") == ["router", "retrieval"] && references.providers == ["llm"])
    #expect(references.callers(of: "vectors") == ["retrieval"] && references.callers(of: "none") == [])
    #expect(references.callers(of: "collector") == ["telemetry"] && references.callers(of: "pager") == ["telemetry"])
    let listed = try destination("base_url: \"https://a\", callers: [edge]").configuration
    #expect(listed.callers(with: ["it"]) == ["edge", "router"] && listed.callers(with: []) == ["edge"])
}

@Test("a change of secrets or destinations grants no calls: what was counted stays counted")
func rateStays() throws {
    let destinations = try loadConfiguration(CredentialsConfiguration.self, text: text, file: "f.yaml").service.destinations
    let first = DestinationTable(destinations, providers: [], vault: .open([:]))
    #expect(try first.find("limited").rate?.take() == nil)
    let second = DestinationTable(destinations, providers: [], vault: .open([:]), before: first)
    #expect(try second.find("limited").rate?.take() != nil)
    var other = destinations
    other[1].rate = RateRule(rpm: 2, burst: 2)
    let third = DestinationTable(other, providers: [], vault: .open([:]), before: second)
    #expect(try third.find("limited").rate?.take() == nil)
}
