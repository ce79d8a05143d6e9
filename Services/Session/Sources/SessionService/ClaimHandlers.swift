import BulkheadAPI
import BulkheadIPC

// Served for edge: claims that run, and the streams they keep.

extension SessionDaemon {
    package func dispatch(
        _ request: SessionAPI.DispatchRequest, _ call: ServerCall
    ) async throws -> SessionAPI.DispatchReply {
        try await claims.dispatch(request, deadline: call.deadline)
    }

    package func renew(_ request: SessionAPI.RenewRequest, _ call: ServerCall) async throws -> SessionAPI.RenewReply {
        limits.desk.renew(Int64(request.edgeRun), now: .now())
        return try await claims.renew(request.held, deadline: call.deadline)
    }

    package func appendStream(
        _ request: SessionAPI.AppendStreamRequest, _ call: ServerCall
    ) async throws -> SessionAPI.AppendStreamReply {
        try await claims.append(request, deadline: call.deadline)
    }

    package func readStream(
        _ request: SessionAPI.ReadStreamRequest, _ call: ServerCall, _ replies: TypedWriter<SessionAPI.ReadStreamReply>
    ) async throws {
        try await claims.read(request, deadline: call.deadline, on: call.eventLoop) { try await replies.write($0) }
    }
}
