import Foundation
import RetrievalService
import Testing

struct SafetensorsTests {
    private static func read(_ header: String, data: Int = 16, claimed: UInt64? = nil) throws -> Safetensors {
        var file = withUnsafeBytes(of: (claimed ?? UInt64(header.utf8.count)).littleEndian) { [UInt8]($0) }
        file += [UInt8](header.utf8) + [UInt8](repeating: 0, count: data)
        return try file.withUnsafeBytes { try Safetensors($0) }
    }

    /// Padded so that the data begins at a multiple of four, as writers of the format do.
    private static func aligned(_ header: String) -> String {
        header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    }

    private static func tensor(_ dtype: String, _ shape: String, _ offsets: String) -> String {
        aligned(#"{"t":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}}"#)
    }

    @Test("tensors are found where the header places them")
    func finds() throws {
        let header = Self.aligned(
            #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},"#
                + #""i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#)
        let tensors = try Self.read(header).tensors
        #expect(tensors.keys.sorted() == ["a"])
        #expect(tensors["a"]?.shape == [2, 1])
        #expect(tensors["a"]?.offset == 8 + header.utf8.count + 8)
    }

    private static let hostile: [(String, String)] = [
        ("nothing", ""), ("no object", "[]"), ("cut JSON", #"{"t":{"dtype":"F32""#), ("wrong types", #"{"t":{"dtype":1}}"#),
        ("a text for a tensor", #"{"t":"x"}"#), ("bytes that are no text", "{\"\u{0}"),
        ("beyond the file", tensor("F32", "[5]", "[0,20]")), ("beyond the file, not F32", tensor("I8", "[20]", "[0,20]")),
        ("backwards", tensor("F32", "[1]", "[8,4]")), ("negative", tensor("F32", "[1]", "[-4,0]")),
        ("one offset", tensor("F32", "[1]", "[0]")), ("three offsets", tensor("F32", "[1]", "[0,4,8]")),
        ("a larger shape", tensor("F32", "[4]", "[0,4]")), ("a smaller shape", tensor("F32", "[1]", "[0,8]")),
        ("a product that overflows", tensor("F32", "[4611686018427387904,4]", "[0,4]")),
        ("bytes that overflow", tensor("F32", "[4611686018427387904]", "[0,0]")),
        ("no rows", tensor("F32", "[0]", "[0,0]")), ("negative rows", tensor("F32", "[-1,-1]", "[0,4]")),
        ("unaligned", tensor("F32", "[1]", "[1,5]")), ("offsets beyond Int", tensor("F32", "[1]", "[0,99999999999999999999]")),
        ("a fraction", tensor("F32", "[1.5]", "[0,6]")), ("depth", String(repeating: "[", count: 100_000)),
        ("depth in an object", #"{"t":"# + String(repeating: "[", count: 50_000) + "}"),
    ]

    @Test("a header that lies is refused", arguments: hostile)
    func refuses(name: String, header: String) { #expect(throws: ModelError.self) { try Self.read(header) } }

    @Test("a header length beyond the file or a mebibyte is refused", arguments: [19, 1 << 20 + 1, UInt64(Int.max), .max])
    func refusesLength(claimed: UInt64) { #expect(throws: ModelError.self) { try Self.read("{}", claimed: claimed) } }

    @Test("every cut of a valid file is refused or read without a tensor beyond it", arguments: 0 ..< 96)
    func refusesCut(length: Int) throws {
        let header = Self.tensor("F32", "[4]", "[0,16]")
        var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { [UInt8]($0) } + [UInt8](header.utf8)
        file += [UInt8](repeating: 0, count: 16)
        guard length < file.count else { return }
        file.withUnsafeBytes { bytes in
            let cut = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            #expect(throws: ModelError.self) { try Safetensors(cut) }
        }
    }
}

struct ModelFilesTests {
    private func withFolder(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("m-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
        try body(folder.path)
    }

    @Test("a missing, empty or foreign file is named, its folder is not")
    func namesTheFile() throws {
        let vocabulary = "[UNK]\n[CLS]\n[SEP]"
        try withFolder([:]) { folder in
            #expect(throws: ModelError("vocab.txt cannot be read: No such file or directory")) {
                try EmbeddingModel(folder: folder)
            }
        }
        try withFolder(["vocab.txt": vocabulary, "model.safetensors": ""]) { folder in
            #expect(throws: ModelError("model.safetensors is empty or no regular file")) { try EmbeddingModel(folder: folder) }
        }
        try withFolder(["vocab.txt": vocabulary, "model.safetensors": "\u{2}\0\0\0\0\0\0\0{}"]) { folder in
            #expect(throws: ModelError("model.safetensors lacks tensor embeddings.word_embeddings.weight")) {
                try EmbeddingModel(folder: folder)
            }
        }
    }

    @Test("a configured folder is the only one looked at; it may hold the model or the model's folder")
    func looks() throws {
        let files = ["vocab.txt": "x", "model.safetensors": "x"]
        try withFolder(files) { folder in
            #expect(ModelFolder.find(configured: folder, executable: "") == folder)
            #expect(ModelFolder.find(configured: folder + "/none", executable: #filePath) == nil)
        }
        try withFolder([:]) { root in
            let model = root + "/.bulkhead/models/all-MiniLM-L6-v2"
            try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: true)
            for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(model)/\(name)")) }
            #expect(ModelFolder.find(configured: root + "/.bulkhead/models", executable: "") == model)
            if access("/usr/share/bulkhead/models", F_OK) != 0 {
                #expect(ModelFolder.find(configured: nil, executable: root + "/.build/release/bulkhead-retrieval") == model)
            }
        }
    }
}
