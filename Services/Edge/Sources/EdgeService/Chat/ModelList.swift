import BulkheadAPI
import BulkheadJSON
import NIOCore

/// The part of the list of models that was asked for, in the words of Anthropic's API (`limit`, `after_id`, `before_id`).
struct ModelPage {
    private static let most = 1000

    let models: [RouterAPI.Model]
    /// There are more, in the direction that was asked for.
    let hasMore: Bool

    /// Everything, unless `query` says less.
    /// - Throws: `EdgeError` 400 naming the parameter that is wrong.
    init(_ all: [RouterAPI.Model], _ query: [String: String]) throws {
        var rest = all[...]
        if let id = query["after_id"] { rest = try rest[(Self.place(of: id, "after_id", all) + 1)...] }
        let before = query["before_id"]
        if let before { rest = try rest.prefix(upTo: max(rest.startIndex, Self.place(of: before, "before_id", all))) }
        let limit = try Self.limit(query["limit"]) ?? rest.count
        models = Array(before == nil ? rest.prefix(limit) : rest.suffix(limit))
        hasMore = models.count < rest.count
    }

    private static func place(of id: String, _ parameter: String, _ all: [RouterAPI.Model]) throws -> Int {
        guard let place = all.firstIndex(where: { $0.name == id }) else {
            throw EdgeError.field(
                parameter, "\(parameter) names no model that is listed here; it is \(FoundValue.text(.string(id))).")
        }
        return place
    }

    private static func limit(_ text: String?) throws -> Int? {
        guard let text else { return nil }
        guard let limit = Int(text), (1 ... most).contains(limit) else {
            throw EdgeError.field(
                "limit", "limit must be a whole number from 1 to \(most); it is \(FoundValue.text(.string(text))).")
        }
        return limit
    }
}

/// The models, in the shape the client knows.
enum ModelList {
    static func encode(_ page: ModelPage, isAnthropic: Bool) -> ByteBuffer {
        let models = page.models
        var writer = JSONWriter()
        writer.object { writer in
            if !isAnthropic { writer.field("object", "list") }
            writer.array("data") { list in for model in models { write(model, isAnthropic, to: &list) } }
            guard isAnthropic else { return }
            writer.field("has_more", page.hasMore)
            writer.field("first_id", models.first.map { .string($0.name) } ?? .null)
            writer.field("last_id", models.last.map { .string($0.name) } ?? .null)
        }
        return writer.buffer
    }

    static func encode(_ model: RouterAPI.Model, isAnthropic: Bool) -> ByteBuffer {
        var writer = JSONWriter()
        write(model, isAnthropic, to: &writer)
        return writer.buffer
    }

    private static func write(_ model: RouterAPI.Model, _ isAnthropic: Bool, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", model.name)
            if isAnthropic {
                writer.field("type", "model")
                writer.field("display_name", model.name)
                writer.field("created_at", WallClock.timestamp(model.created))
            } else {
                writer.field("object", "model")
                writer.field("created", model.created)
                writer.field("owned_by", model.provider.isEmpty ? "bulkhead" : model.provider)
            }
        }
    }
}
