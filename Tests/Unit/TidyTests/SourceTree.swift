import Foundation

/// A Swift file of the tree, with its code apart from comments and text.
struct SourceFile: Sendable, CustomStringConvertible {
    /// Relative to the root of the tree, e.g. `Shared/IPC/Frame/FrameHeader.swift`.
    let path: String
    /// The lines as they are.
    let lines: [String]
    /// The lines with comments and the contents of string literals blanked: what rules about code look at.
    let code: [String]

    var description: String { path }

    /// The modules it imports.
    let imports: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = Blanking.code(of: text)
        imports = code.filter { $0.holds("import ") }.compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let keyword = words.firstIndex(of: "import"), words[..<keyword].allSatisfy(Self.mayPrecedeImport.contains)
            else { return nil }
            let rest = words[(keyword + 1)...]
            let name = rest.count > 1 && Self.importKinds.contains(rest[rest.startIndex]) ? rest.dropFirst().first : rest.first
            return name.map { String($0.prefix { $0 != "." }) }
        }
    }

    private static let mayPrecedeImport: Set<Substring> = [
        "@testable", "@preconcurrency", "@_exported", "@_implementationOnly", "internal", "package", "public", "private",
        "fileprivate",
    ]
    private static let importKinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "var", "let", "typealias"]

    /// The lines of code that hold any of `words`, numbered from 1: regular expressions are too slow for all lines.
    func code(holding words: String...) -> [(number: Int, line: String)] {
        code.enumerated().filter { line in words.contains { line.element.holds($0) } }.map { ($0.offset + 1, $0.element) }
    }

    var isGenerated: Bool { path.contains("/Generated/") }
    var isTest: Bool { path.hasPrefix("Tests/") }
}

/// Every Swift file of the product and its tests.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL.path

    static let files: [SourceFile] = ["Package.swift", "Services", "Shared", "Protos", "Tests"].flatMap(read).sorted {
        $0.path < $1.path
    }
    /// What ships: without tests and generated code.
    static let product = files.filter { !$0.isTest && !$0.isGenerated && $0.path != "Package.swift" }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(root)/\(path)") }

    static func folders(in path: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(path)")) ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(root)/\(path)/\(name)", isDirectory: &isFolder) && isFolder.boolValue
        }.sorted()
    }

    private static func read(_ top: String) -> [SourceFile] {
        if top.hasSuffix(".swift") { return file(top).map { [$0] } ?? [] }
        guard let names = FileManager.default.enumerator(atPath: "\(root)/\(top)") else { return [] }
        return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") && !$0.contains(".build/") }.compactMap {
            file("\(top)/\($0)")
        }
    }

    private static func file(_ path: String) -> SourceFile? {
        guard let text = try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) else { return nil }
        return SourceFile(path: path, text: text)
    }
}

extension String {
    /// Whether the bytes of `word`, which is not empty, occur.
    func holds(_ word: String) -> Bool {
        var (text, word) = (self, word)
        return text.withUTF8 { text in
            word.withUTF8 { word in
                guard text.count >= word.count else { return false }
                return (0 ... text.count - word.count).contains { start in
                    text[start] == word[0] && text[start ..< start + word.count].elementsEqual(word)
                }
            }
        }
    }
}
