import Foundation
import RetrievalService
import Testing

/// The model of this checkout. Tests that need it are skipped without it, unless CI or BULKHEAD_REQUIRE_MODEL=1 says that it
/// must be there: then `InstalledModelTests` fails.
enum InstalledModel {
    static let folder = ModelFolder.find(configured: nil, executable: #filePath)
    static let isRequired = [("CI", "true"), ("BULKHEAD_REQUIRE_MODEL", "1")].contains { name, value in
        ProcessInfo.processInfo.environment[name] == value
    }

    static func load() throws -> EmbeddingModel { try EmbeddingModel(folder: #require(folder)) }

    static func vocabulary() throws -> Vocabulary {
        try Vocabulary(Array(Data(contentsOf: URL(fileURLWithPath: #require(folder) + "/vocab.txt"))))
    }
}

struct InstalledModelTests {
    @Test("the model is installed where it is required", .enabled(if: InstalledModel.isRequired))
    func isInstalled() { #expect(InstalledModel.folder != nil, "run deploy/models/fetch.sh") }
}
