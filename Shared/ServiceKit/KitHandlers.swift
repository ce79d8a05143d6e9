import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability

/// `Peer`: what every process answers to its peers.
struct PeerEndpoint: PeerHandler {
    let metrics: MetricsRegistry
    let collect: @Sendable () -> Void

    func metrics(_ request: ControlAPI.MetricsRequest, _ call: ServerCall) async throws -> ControlAPI.MetricsReply {
        collect()
        return ControlAPI.MetricsReply(text: metrics.render())
    }
}

/// `Admin`: runs verbs, on `admin.sock` only.
struct AdminEndpoint: AdminHandler {
    let verbs: [String: AdminVerb]

    init(_ verbs: [AdminVerb]) {
        self.verbs = Dictionary(verbs.map { ($0.name, $0) }) { _, later in later }
    }

    func invoke(_ request: ControlAPI.InvokeRequest, _ call: ServerCall) async throws -> ControlAPI.InvokeReply {
        guard let verb = verbs[request.verb] else {
            throw CallError(
                .unimplemented, reason: "unknown_verb",
                message: "the running service knows no verb \"\(request.verb)\"; is it of the same version as this program?")
        }
        return ControlAPI.InvokeReply(resultJson: try await verb.run(request.argumentsJson))
    }
}
