import Foundation

/// The inputs a fuzz target starts from, and those that once broke something.
enum FuzzInputs {
    static func all(_ target: String) -> [URL] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Fuzz").standardizedFileURL
        return ["Corpus", "Regressions"].flatMap { folder in
            let place = root.appending(path: "\(folder)/\(target)")
            return (try? FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil)) ?? []
        }
    }
}
