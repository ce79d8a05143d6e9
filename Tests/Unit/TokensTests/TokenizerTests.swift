import BulkheadTokens
import Foundation
import Testing

/// The vocabularies of this checkout. Tests that need them are skipped without them, unless CI or BULKHEAD_REQUIRE_MODEL=1 says
/// that they must be there: then `installed` fails.
enum InstalledVocabularies {
    static let folder = VocabularyFolder.find(.o200k, executable: #filePath)
    static let isRequired = [("CI", "true"), ("BULKHEAD_REQUIRE_MODEL", "1")].contains { name, value in
        ProcessInfo.processInfo.environment[name] == value
    }
    static let o200k = folder.flatMap { try? Tokenizer(.o200k, folder: $0) }
    static let cl100k = folder.flatMap { try? Tokenizer(.cl100k, folder: $0) }
}

@Suite(.enabled(if: InstalledVocabularies.folder != nil)) struct TokenizerTests {
    @Test("token numbers are those tiktoken makes", arguments: ReferenceTokens.all)
    func reference(_ reference: ReferenceTokens) throws {
        #expect(try #require(InstalledVocabularies.o200k).encode(reference.text) == reference.o200k)
        #expect(try #require(InstalledVocabularies.cl100k).encode(reference.text) == reference.cl100k)
    }

    @Test("counting says how many numbers there would be")
    func counting() throws {
        let tokenizer = try #require(InstalledVocabularies.o200k)
        for reference in ReferenceTokens.all {
            #expect(tokenizer.count(reference.text) == reference.o200k.count)
            #expect(tokenizer.estimate(reference.text) == reference.o200k.count)
        }
    }

    @Test("a long run is merged as tiktoken does, on both sides of where the way of merging changes")
    func longRuns() throws {
        let tokenizer = try #require(InstalledVocabularies.cl100k)
        let counts = (126 ... 130).map { tokenizer.count(String(repeating: "a", count: $0)) }
        #expect(counts == [17, 17, 16, 17, 17])
    }

    @Test("a megabyte of one letter is counted about as well in parts")
    func estimates() throws {
        let tokenizer = try #require(InstalledVocabularies.o200k)
        let text = String(repeating: "a", count: 1 << 20)
        #expect(tokenizer.count(text) == 1 << 17)
        #expect(abs(tokenizer.estimate(text) - 1 << 17) < 1 << 13)
    }
}

struct VocabularyTests {
    @Test("the vocabularies are installed where they are required", .enabled(if: InstalledVocabularies.isRequired))
    func installed() {
        #expect(InstalledVocabularies.folder != nil, "run deploy/models/fetch.sh")
    }

    /// A folder with a file of the vocabulary's name.
    private func refusal(_ content: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tokens-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(content.utf8).write(to: folder.appendingPathComponent(TokenVocabulary.o200k.fileName))
        do {
            _ = try Tokenizer(.o200k, folder: folder.path)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("a file that is not the published one is refused, by name and without its folder")
    func damaged() throws {
        #expect(try refusal("IQ== 0\n") == "o200k_base.tiktoken is damaged: its SHA-256 is not the published one")
        #expect(try refusal("") == "o200k_base.tiktoken is empty, too large or no regular file")
        #expect(throws: VocabularyError.self) { try Tokenizer(.o200k, folder: "/nowhere") }
    }

    @Test("vocabularies are looked for above the executable")
    func folders() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("tokens-\(UUID().uuidString)")
        let folder = root.appendingPathComponent(".bulkhead/models/tiktoken")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        try Data("x".utf8).write(to: folder.appendingPathComponent(TokenVocabulary.cl100k.fileName))
        let found = VocabularyFolder.find(.cl100k, executable: root.path + "/.build/release/bulkhead-router")
        #expect(found == folder.path || found == "/usr/share/bulkhead/models/tiktoken")
        #expect(VocabularyFolder.find(.o200k, executable: "") == nil || found == "/usr/share/bulkhead/models/tiktoken")
    }
}
