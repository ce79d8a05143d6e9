import BulkheadJSON

/// Anthropic's `cache_control` on a block as Converse's block of its own that follows.
package enum CachePoint {
    /// The mark as Anthropic writes it; nil when there is none.
    package static func control(_ extra: String?) -> JSON? {
        guard let extra, extra.contains("cache_control"), let control = (try? JSON.parse(extra))?["cache_control"],
            control.object != nil
        else { return nil }
        return control
    }

    /// - Parameter extra: the members beside a block or tool, in the client's dialect. - Returns: nil when it marks nothing.
    package static func json(_ extra: String?) -> JSON? {
        guard let control = control(extra) else { return nil }
        var point: JSONObject = ["type": "default"]
        if let ttl = control["ttl"]?.string, ttl != "5m" { point.append("ttl", .string(ttl)) }
        return ["cachePoint": .object(point)]
    }
}
