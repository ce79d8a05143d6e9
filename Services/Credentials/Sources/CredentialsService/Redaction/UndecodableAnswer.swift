import BulkheadCoding
import BulkheadCore

extension ContentDecoder.Trouble {
    /// As callers see it.
    func callError(place: String, limit: Int) -> CallError {
        switch self {
        case .unknownCoding:
            Self.undecodable("\(place) answered in a content coding that was not asked for", "upstream_error")
        case .tooManyLayers: Self.undecodable("\(place) answered in more than two content codings", "upstream_error")
        case .damaged: Self.undecodable("\(place) sent a body that is not in the content coding it names", "upstream_error")
        case .truncated:
            CallError(.dataLoss, reason: "stream_broken", message: "the coded answer of \(place) ended before its end")
        case .tooLarge, .grewTooMuch:
            CallError(
                .resourceExhausted, reason: "upstream_error",
                message: "the decoded answer of \(place) is larger than the \(limit) bytes that `limits.max_response` of its "
                    + "destination allows, or grew more than two-hundredfold")
        }
    }

    private static func undecodable(_ what: String, _ reason: String) -> CallError {
        CallError(
            .unavailable, reason: reason,
            message: "\(what) (undecodable), so the answer cannot be checked for the secret and is not passed on")
    }
}
