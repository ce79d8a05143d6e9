import BulkheadJSON
import NIOCore
import NIOHTTP1
import Synchronization

/// Everything but the transport: which answer a request gets, and with which fault.
final class Provider: Sendable {
    /// An answer, how it is to be sent, and its number in the log (nil for the provider's own routes).
    struct Outcome {
        var reply: Reply
        var directives: Directives
        var logNumber: Int?
    }

    let latency: Span
    let tokensPerSecond: Double?
    private let scripts = Mutex(ScriptQueue())
    private let log = Mutex(RequestLog())

    init(latency: Span, tokensPerSecond: Double?) {
        self.latency = latency
        self.tokensPerSecond = tokensPerSecond
    }

    func outcome(of request: Request) -> Outcome {
        switch (request.head.method, request.target.path) {
        case (.POST, "/v1/chat/completions"): chat(OpenAIChat.self, request)
        case (.POST, "/v1/responses"): chat(OpenAIResponses.self, request)
        case (.POST, "/v1/embeddings"): embeddings(request)
        case (.POST, "/v1/moderations"): moderations(request)
        case (.POST, "/v1/messages"): chat(AnthropicMessages.self, request)
        case (.POST, "/v1/messages/count_tokens"): countTokens(request)
        case (.POST, let path) where path.hasPrefix("/v1beta/models/"): gemini(request)
        case (.POST, let path) where path.hasPrefix("/model/"): bedrock(request)
        case (.GET, let path) where path.hasPrefix("/v1/models"): Outcome(reply: models(request), directives: .none)
        case (_, let path) where path.hasPrefix("/_"): Outcome(reply: control(request), directives: .none)
        case (.GET, "/health"): Outcome(reply: .json { $0.object { $0.field("status", "ok") } }, directives: .none)
        default: Outcome(reply: unknownRoute(request), directives: .none)
        }
    }

    /// Notes what became of the request with the given number in the log.
    func finish(_ number: Int?, _ outcome: RequestLog.Outcome) {
        guard let number else { return }
        log.withLock { $0.finish(number, outcome) }
    }

    func unknownRoute(_ request: Request) -> Reply {
        let text = "there is no \(request.head.method.rawValue) \(request.target.path) here; README.md lists the routes"
        return OpenAIChat.errorReply(.notFound, BadRequest(message: text))
    }
}

extension Provider {
    private func chat<D: Dialect>(_ dialect: D.Type, _ request: Request, adding additions: JSONObject = [:]) -> Outcome {
        answered(request, by: D.self, adding: additions) { body, directives throws(BadRequest) in
            let ask = try D.ask(body)
            let answers = (0 ..< ask.choices).map { Answer(to: ask, choice: $0, length: directives.tokens) }
            return ask.streams ? D.streamReply(answers, to: ask) : .json { D.write(answers, to: ask, &$0) }
        }
    }

    /// Gemini names the model and the method in the path: `{model}:{method}`.
    private func gemini(_ request: Request) -> Outcome {
        let parts = request.target.path.dropFirst("/v1beta/models/".count).split(separator: ":")
        let isStream = parts.last == "streamGenerateContent"
        guard parts.count == 2, isStream || parts[1] == "generateContent" else {
            return Outcome(reply: unknownRoute(request), directives: .none)
        }
        let additions: JSONObject = ["model": .string(PathText.decoded(parts[0])), "stream": .bool(isStream)]
        return answered(request, by: Gemini.self, adding: additions) { body, directives throws(BadRequest) in
            if isStream, request.target.query?.contains("alt=sse") != true {
                throw BadRequest(message: "streamGenerateContent is supported with ?alt=sse only")
            }
            let ask = try Gemini.ask(body)
            let answers = (0 ..< ask.choices).map { Answer(to: ask, choice: $0, length: directives.tokens) }
            return isStream ? Gemini.streamReply(answers, to: ask) : .json { Gemini.write(answers, to: ask, &$0) }
        }
    }

    /// Bedrock names the model and the method in the path: `/model/{model}/{method}`.
    private func bedrock(_ request: Request) -> Outcome {
        let parts = request.target.path.dropFirst("/model/".count).split(separator: "/")
        let isStream = parts.last == "converse-stream"
        guard parts.count == 2, isStream || parts[1] == "converse" else {
            return Outcome(reply: unknownRoute(request), directives: .none)
        }
        let additions: JSONObject = ["model": .string(PathText.decoded(parts[0])), "stream": .bool(isStream)]
        return chat(Bedrock.self, request, adding: additions)
    }

    private func moderations(_ request: Request) -> Outcome {
        answered(request, by: OpenAIChat.self) { body, _ throws(BadRequest) in
            let texts = try OpenAIModerations.texts(body)
            let model = body["model"]?.string ?? "omni-moderation-latest"
            return .json { OpenAIModerations.write(texts, model: model, &$0) }
        }
    }

    private func embeddings(_ request: Request) -> Outcome {
        answered(request, by: OpenAIChat.self) { body, _ throws(BadRequest) in
            let wanted = try OpenAIEmbeddings.request(body)
            return .json { OpenAIEmbeddings.write(wanted, &$0) }
        }
    }

    private func countTokens(_ request: Request) -> Outcome {
        answered(request, by: AnthropicMessages.self) { body, _ throws(BadRequest) in
            let count = try AnthropicMessages.countedAsk(body).promptTokens
            return .json { $0.object { $0.field("input_tokens", count) } }
        }
    }

    /// The common course of every model's answer: read, log, look up the fault, answer or refuse in the dialect's shape.
    private func answered<D: Dialect>(
        _ request: Request, by dialect: D.Type, adding additions: JSONObject = [:],
        answer: (JSON, Directives) throws(BadRequest) -> Reply
    ) -> Outcome {
        var directives = Directives.none
        var number: Int?
        var reply: Reply
        do throws(BadRequest) {
            let body = try request.json(adding: additions)
            let model = body["model"]?.string ?? ""
            number = log.withLock { $0.add(request.head, model: model, body: request.body) }
            directives = try self.directives(for: model, request.head)
            if let failure = failed(directives, dialect) {
                reply = failure
            } else {
                reply = try answer(body, directives)
                // A whole answer has no place for an error event.
                if case .whole = reply.body, case .error = directives.ending { reply = told(.internalServerError, dialect) }
            }
        } catch {
            reply = D.errorReply(.badRequest, error)
        }
        reply.headers.append((D.requestIDHeader, AnswerID.next("req_")))
        return Outcome(reply: reply, directives: directives, logNumber: number)
    }

    /// A script's step goes before the header, and that before the model's name.
    private func directives(for model: String, _ head: HTTPRequestHead) throws(BadRequest) -> Directives {
        if let step = scripts.withLock({ $0.next(for: model) }) { return step }
        guard let text = head.headers.first(name: "x-demo") else { return Directives(model: model) }
        guard let directives = Directives(text: text) else {
            throw BadRequest(message: "x-demo has a word that is not known; README.md lists them")
        }
        return directives
    }

    private func failed<D: Dialect>(_ directives: Directives, _ dialect: D.Type) -> Reply? {
        guard let code = directives.failure else { return nil }
        var reply = told(.init(statusCode: code), dialect)
        if let span = directives.retryAfter {
            reply.headers.append(("retry-after", String((span.nanoseconds + 999_999_999) / 1_000_000_000)))
            reply.headers.append(("retry-after-ms", String(span.nanoseconds / 1_000_000)))
        }
        return reply
    }

    private func told<D: Dialect>(_ status: HTTPResponseStatus, _ dialect: D.Type) -> Reply {
        D.errorReply(status, BadRequest(message: "the demo provider answers \(status.code) as told"))
    }

    private func models(_ request: Request) -> Reply {
        let isAnthropic = request.head.headers.contains(name: "anthropic-version")
        let rest = request.target.path.dropFirst("/v1/models".count)
        if rest.isEmpty || rest == "/" {
            return .json { isAnthropic ? ModelList.writeAnthropic(&$0) : ModelList.writeOpenAI(&$0) }
        }
        guard rest.hasPrefix("/") else { return unknownRoute(request) }
        let name = String(rest.dropFirst())
        return .json { isAnthropic ? ModelList.writeAnthropic(name, &$0) : ModelList.writeOpenAI(name, &$0) }
    }
}

extension Provider {
    /// The routes of tests and demos: scripts, the log, the counts.
    private func control(_ request: Request) -> Reply {
        switch (request.head.method, request.target.path) {
        case (.POST, "/_script"): addScript(request)
        case (.DELETE, "/_script"): clearScripts()
        case (.GET, "/_script"): .json { writeScripts(&$0) }
        case (.GET, "/_requests"): .json { writer in log.withLock { $0 }.writeRecords(&writer) }
        case (.DELETE, "/_requests"): clearLog()
        case (.GET, "/_counters"): .json { writer in log.withLock { $0 }.writeCounters(&writer) }
        default: unknownRoute(request)
        }
    }

    private func addScript(_ request: Request) -> Reply {
        do throws(BadRequest) {
            let body = try request.json()
            let model = body["model"]?.string ?? "*"
            var steps: [Directives] = []
            for step in body["steps"]?.array ?? [] {
                guard let directives = step.string.flatMap({ Directives(text: $0) }) else {
                    let message = "step \(steps.count + 1) is not known; README.md lists the words"
                    throw BadRequest(message: message, parameter: "steps")
                }
                steps.append(directives)
            }
            guard scripts.withLock({ $0.add(steps, for: model) }) else {
                throw BadRequest(message: "more than \(ScriptQueue.mostSteps) steps would wait", parameter: "steps")
            }
            return .json { writeScripts(&$0) }
        } catch {
            return OpenAIChat.errorReply(.badRequest, error)
        }
    }

    private func clearScripts() -> Reply {
        scripts.withLock { $0 = ScriptQueue() }
        return .json { writeScripts(&$0) }
    }

    private func clearLog() -> Reply {
        log.withLock { $0.forget() }
        return .json { writer in log.withLock { $0 }.writeRecords(&writer) }
    }

    private func writeScripts(_ writer: inout JSONWriter) {
        let waiting = scripts.withLock { $0.waiting }
        writer.object { writer in
            for (model, steps) in waiting { writer.field(model, steps) }
        }
    }
}
