import BulkheadAPI
import BulkheadJSON
import NIOCore

/// The models, in the shape the client knows.
enum ModelList {
    static func encode(_ models: [RouterAPI.Model], isAnthropic: Bool) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            if !isAnthropic { writer.field("object", "list") }
            writer.array("data") { list in for model in models { write(model, isAnthropic, to: &list) } }
            guard isAnthropic else { return }
            writer.field("has_more", false)
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
