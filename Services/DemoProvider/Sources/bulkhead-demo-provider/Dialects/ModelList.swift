import BulkheadJSON

/// GET /v1/models: any name works, these are the ones shown.
enum ModelList {
    static let names = ["demo-small", "demo-large", "demo-embed"]

    static func writeOpenAI(_ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("object", "list")
            writer.array("data") { writer in
                for name in names { writeOpenAI(name, &writer) }
            }
        }
    }

    static func writeOpenAI(_ name: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", name)
            writer.field("object", "model")
            writer.field("created", 1_735_689_600)
            writer.field("owned_by", "demo")
        }
    }

    static func writeAnthropic(_ writer: inout JSONWriter) {
        writer.object { writer in
            writer.array("data") { writer in
                for name in names { writeAnthropic(name, &writer) }
            }
            writer.field("has_more", false)
            writer.field("first_id", names.first.map(JSON.string) ?? .null)
            writer.field("last_id", names.last.map(JSON.string) ?? .null)
        }
    }

    static func writeAnthropic(_ name: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", "model")
            writer.field("id", name)
            writer.field("display_name", name)
            writer.field("created_at", "2025-01-01T00:00:00Z")
        }
    }
}
