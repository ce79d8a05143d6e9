import BulkheadAPI
import BulkheadCore
import BulkheadStore
import SessionService
import Testing

@Suite("Scopes of keys")
struct ScopeTests {
    private static let routes = [
        "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings", "/v1/moderations",
        "/v1/models", "/v1/models/{id}", "/v1/call", "/v1/call/{destination}", "/v1/proxy/{destination}/{path}", "/metrics",
        "/v1/batches", "/v1/vector_stores/{id}/search", "/v1/rerank", "/v1/checkpoints/{thread}/lease", "/v1/feedback",
        "/otlp/v1/traces", "/v1/unheard-of",
    ]

    private static let covered: [(scopes: [String], routes: Set<String>)] = [
        ([], Set(routes)),
        (
            ["models"],
            [
                "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings",
                "/v1/moderations", "/v1/models", "/v1/models/{id}", "/v1/rerank",
            ]
        ),
        (["embeddings"], ["/v1/embeddings", "/v1/models", "/v1/models/{id}"]),
        (["credentials"], ["/v1/call", "/v1/call/{destination}", "/v1/proxy/{destination}/{path}"]),
        (["read"], ["/v1/models", "/v1/models/{id}", "/v1/call"]),
        (["operations"], ["/metrics"]),
        (["retrieval"], ["/v1/vector_stores/{id}/search", "/v1/rerank"]),
        (["jobs", "checkpoints"], ["/v1/batches", "/v1/checkpoints/{thread}/lease"]),
        (["feedback"], ["/v1/feedback", "/otlp/v1/traces"]),
        (["read", "operations"], ["/v1/models", "/v1/models/{id}", "/v1/call", "/metrics"]),
    ]

    @Test("A key may use the routes of its scopes and no other; without scopes all", arguments: 0 ..< 10)
    func routes(index: Int) async throws {
        let (scopes, expected) = Self.covered[index]
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.scopes = scopes }
        var allowed: Set<String> = []
        for route in Self.routes {
            var request = bench.request(made.key)
            request.route = route
            let reply = try await bench.admission.admit(request, now: bench.now)
            if reply.verdict == .admitted { allowed.insert(route) } else { #expect(reply.verdict == .scopeRefused, "\(route)") }
        }
        #expect(allowed == expected)
    }

    @Test("A route that only begins like one of a scope is not covered")
    func likeness() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.scopes = ["embeddings"] }
        var request = bench.request(made.key)
        request.route = "/v1/embeddings-of-others"
        #expect(try await bench.admission.admit(request, now: bench.now).verdict == .scopeRefused)
    }

    @Test("A refusal for scopes costs nothing and says which the key has")
    func refusal() async throws {
        let bench = try await SessionBench(policy: LimitPolicy(perUser: 1, perTenant: nil))
        let made = try await bench.makeKey { $0.scopes = ["embeddings"] }
        for _ in 0 ..< 3 {
            let reply = try await bench.admit(made.key, idempotency: "once")
            #expect(reply.verdict == .scopeRefused && reply.keyID == made.id && reply.admissionID.isEmpty)
            #expect(reply.reason.contains("embeddings"))
        }
        var request = bench.request(made.key)
        request.route = "/v1/embeddings"
        #expect(try await bench.admission.admit(request, now: bench.now).verdict == .admitted)
    }

    @Test("A scope of a later version covers nothing, and does not open the rest")
    func later() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey { $0.scopes = ["read"] }
        let change = Statement("test.scope", "UPDATE api_key SET scopes = 'telepathy' WHERE id = $1")
        _ = try await bench.store.transact { try $0.run(change, [.text(made.id)]) }
        let again = try await SessionBench(folder: bench.folder)
        #expect(try await again.admit(made.key).verdict == .scopeRefused)
    }
}
