import BulkheadAPI
import BulkheadCore
import HTTPTypes

// What an Idempotency-Key adds to an admission.

/// For whom an Idempotency-Key counts.
package enum IdempotencyScope: String, CaseIterable, Sendable {
    /// Each user of a tenant has keys of its own.
    case user
    /// A key names the same request for all users of the tenant.
    case tenant
}

extension Admission {
    /// The request's Idempotency-Key, checked before anything is looked up; nil when it has none, or it is another's to honour.
    /// - Throws: `EdgeError` 400.
    func idempotencyKey(_ request: AdmissionRequest, _ headers: RequestHeaders) throws -> String? {
        guard request.counts else { return nil }
        guard headers[.idempotencyKey] != nil else {
            if requiredOn.contains(request.route) { throw IdempotencyRefusal.required }
            // Dropped in silence, the client would be given a new run for the rest of the old one.
            if request.streams, headers[.lastEventID]?.isEmpty == false { throw IdempotencyRefusal.placeWithoutKey }
            return nil
        }
        guard request.deduplicates else { return nil }
        let key = try IdempotencyKeyField.key(headers)
        if mode == .none {
            throw EdgeError(
                .badRequest, code: "idempotency_unavailable",
                message: "An Idempotency-Key belongs to an API key, and this server runs without keys (edge.auth.mode none).")
        }
        return key
    }

    /// Adds all that session needs to claim `key` for the request.
    /// - Throws: `EdgeError` 400 for a wish nobody knows.
    func claim(
        _ key: String, _ request: AdmissionRequest, _ headers: RequestHeaders, _ question: inout SessionAPI.AdmitRequest
    ) throws {
        question.idempotencyKey = key
        question.requestDigest = RequestFingerprint.digest(
            method: request.method, route: request.route + request.subject, target: request.target, headers, body: request.body)
        question.streams = request.streams
        if request.streams, let place = headers[.lastEventID], !place.isEmpty {
            guard EventID.isWellFormed(place) else { throw IdempotencyRefusal.placeInvalid }
            question.lastEventID = place
        }
        question.tenantScope = settings.current.idempotencyScope == .tenant
        switch headers[.onUnknown]?.lowercased() {
        case nil: break
        case "retry": question.rerunsUnknown = true
        default:
            throw EdgeError(
                .badRequest,
                message:
                    "Bulkhead-On-Unknown must be retry, or be left out: then a request whose outcome nobody knows is not run again."
            )
        }
    }
}
