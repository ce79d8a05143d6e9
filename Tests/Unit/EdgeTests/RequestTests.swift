import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("Requests")
struct RequestTests {
    @Test(
        "A client's id is kept only if it is sane",
        arguments: [
            ("accept-run-0042", true), ("a.b_c:d-9", true), (String(repeating: "x", count: 128), true),
            (String(repeating: "x", count: 129), false), ("", false),
            ("two words", false), ("tab\t", false), ("quo\"te", false), ("ünï", false), ("<script>", false),
        ])
    func ids(_ id: String, _ isKept: Bool) {
        #expect(RequestScope.kept(id) == (isKept ? id : nil))
    }

    @Test(
        "Paths find their route",
        arguments: [
            ("/v1/chat/completions", RouteMatch(endpoint: .chat)), ("/v1/chat/completions/", RouteMatch(endpoint: .chat)),
            ("/healthz", RouteMatch(endpoint: .health)),
            ("/readyz", RouteMatch(endpoint: .ready)), ("/v1/models", RouteMatch(endpoint: .models)),
            ("/v1/models/", RouteMatch(endpoint: .models)),
            ("/v1/models/org%2Fm", RouteMatch(endpoint: .model, argument: "org/m")),
            ("/v1/models/org/m", RouteMatch(endpoint: .model, argument: "org/m")),
            ("/chat/completions", RouteMatch(endpoint: .chat)), ("/messages/count_tokens/", RouteMatch(endpoint: .countTokens)),
            ("/responses", RouteMatch(endpoint: .responses)), ("/embeddings", RouteMatch(endpoint: .embeddings)),
            ("/models/a/b", RouteMatch(endpoint: .model, argument: "a/b")), ("/models/", RouteMatch(endpoint: .models)),
            ("/v1/messages/count_tokens", RouteMatch(endpoint: .countTokens)),
            ("/v1/moderations", RouteMatch(endpoint: .moderations)), ("/chat", nil), ("/chats/completions", nil),
            ("/v1/models/%zz", nil), ("/v1/models/%ff", nil), ("/v1/nowhere", nil), ("/", nil), ("", nil),
        ] as [(String, RouteMatch?)])
    func routes(_ path: String, _ match: RouteMatch?) {
        #expect(Routes.match(path[...]) == match)
    }

    @Test("Errors take the shape of the path's clients")
    func shapes() {
        #expect(Routes.errorShape("/v1/messages", isAnthropicClient: false) == .anthropic)
        #expect(Routes.errorShape("/v1/models/x", isAnthropicClient: true) == .anthropic)
        #expect(Routes.errorShape("/v1/models", isAnthropicClient: false) == .openAI)
        #expect(Routes.errorShape("/v1x", isAnthropicClient: true) == .problem)
        #expect(Routes.errorShape("/messages/count_tokens", isAnthropicClient: false) == .anthropic)
        #expect(Routes.errorShape("/chat/completions/", isAnthropicClient: false) == .openAI)
        #expect(Routes.errorShape("/models", isAnthropicClient: true) == .anthropic)
        #expect(Routes.path(of: "/health?x=/y#z") == "/health")
        #expect(
            Routes.query(of: "/v1/models?limit=1&limit=2&after_id=org%2Fm&x#y") == ["limit": "2", "after_id": "org/m", "x": ""])
    }

    @Test("Embeddings: texts in, floats or base64 out")
    func embeddings() throws {
        let call = try OpenAIEmbeddings(
            try JSON.parse(#"{"model":"e","input":"a","encoding_format":"base64","dimensions":2,"input_type":"query"}"#))
        #expect(call.request.inputs == ["a"] && call.request.dimensions == 2 && call.wantsBase64)
        #expect(call.request.extraJson == #"{"input_type":"query"}"#)
        let reply = RouterAPI.EmbedReply(
            vectors: [RouterAPI.Vector(values: [1, -2])], inputTokens: 3, served: ChatAPI.Served(provider: "p", model: "e-1"))
        #expect(
            String(buffer: call.encode(reply))
                == #"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAMA="}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3}}"#
        )
    }

    @Test("Embeddings: token numbers of one text or of several travel as they are")
    func tokens() throws {
        for (input, sent) in [("[1,2]", "[[1,2]]"), ("[[1],[2,3]]", "[[1],[2,3]]")] {
            let call = try OpenAIEmbeddings(try JSON.parse(#"{"model":"e","input":\#(input)}"#))
            #expect(call.request.tokenInputsJson == sent && call.request.inputs.isEmpty)
        }
    }

    @Test(
        "Embeddings: a wrong input is named",
        arguments: [
            (#","input":[]"#, "input"), (#","input":"""#, "input"), ("", "input"), (#","input":[1,-2]"#, "input"),
            (#","input":[1,"a"]"#, "input"), (#","input":[[1],[]]"#, "input[1]"), (#","input":["a",""]"#, "input[1]"),
        ])
    func wrongInput(_ input: String, _ param: String) {
        #expect { try OpenAIEmbeddings(try JSON.parse(#"{"model":"e"\#(input)}"#)) } throws: {
            ($0 as? EdgeError)?.param == param
        }
    }

    @Test(
        "Costs are exact decimals",
        arguments: [(0, "0"), (1, "0.000000001"), (1_500_000, "0.0015"), (2_000_000_000, "2"), (12_345_678_901, "12.345678901")])
    func dollars(_ nano: Int, _ text: String) {
        #expect(AnswerFacts.dollars(nano) == text)
    }
}
