import CredentialsService
import Testing

private func secret(_ value: String = "the-first-value") throws -> StoredSecret {
    let policy = SecretPolicy(host: try #require(SealedHost("api.example.com")), preset: .bearer, created: 5)
    return StoredSecret(policy: policy, value: SecretBytes(Array(value.utf8)))
}

private func text(_ bytes: SecretBytes) -> String { bytes.withBytes { String(decoding: $0, as: UTF8.self) } }

@Test("a new value is a new version, and the one before is kept until its overlap is over")
func promotion() throws {
    var it = try secret()
    it.promote(SecretBytes(Array("the-second-value".utf8)), now: 1000, overlap: 500)
    #expect(it.life.version == 2 && text(it.value) == "the-second-value")
    #expect(it.former.map(\.version) == [1])
    #expect(!it.hasExpired(now: 1499) && it.hasExpired(now: 1500))
    it.expire(now: 1500)
    #expect(it.former.isEmpty)
}

@Test("without an overlap the value before is not kept")
func noOverlap() throws {
    var it = try secret()
    it.promote(SecretBytes(Array("the-second-value".utf8)), now: 1000, overlap: 0)
    #expect(it.former.isEmpty && it.life.version == 2)
}

@Test("undo brings the version before back within its overlap, and version numbers are not given twice")
func undone() throws {
    var it = try secret()
    it.promote(SecretBytes(Array("the-second-value".utf8)), now: 1000, overlap: 500)
    var late = it
    let (isUndoneLate, isUndone) = (late.undo(now: 1500), it.undo(now: 1499))
    #expect(!isUndoneLate && late.life.version == 2)
    #expect(isUndone)
    #expect(it.life.version == 1 && text(it.value) == "the-first-value")
    #expect(it.former.map(\.version) == [2], "echoes of the value given up are still taken out")
    it.promote(SecretBytes(Array("the-third-value".utf8)), now: 1600, overlap: 500)
    #expect(it.life.version == 3)
}

@Test("however often a secret is rotated, few former values are kept")
func bounded() throws {
    var it = try secret()
    for turn in 0 ..< 50 { it.promote(SecretBytes(Array("value-number-\(turn)".utf8)), now: 1000, overlap: 500_000) }
    #expect(it.former.count == 4 && it.life.version == 51)
}

@Test("a mark fits the content it was made of and no other")
func marks() {
    let mark = ImportMark(Array("a-value-from-a-file".utf8))
    #expect(mark.fits(Array("a-value-from-a-file".utf8)) && !mark.fits(Array("a-value-from-a-file2".utf8)))
    #expect(mark != ImportMark(Array("a-value-from-a-file".utf8)), "two marks of one content tell nobody that it is the same")
}

@Test(
    "a value that does not look like its vendor's is worth a warning that does not repeat it",
    arguments: [
        (Preset.openai, "sk-proj-Zq7Zq7Zq7", false), (.openai, "Zq7Zq7Zq7Zq7", true), (.openai, "sk-ant-Zq7Zq7", true),
        (.anthropic, "sk-ant-Zq7Zq7", false), (.anthropic, "sk-Zq7Zq7Zq7", true), (.bearer, "Zq7Zq7Zq7Zq7", false),
        (.gemini, "AIzaZq7Zq7Zq7", false), (.azure, "Zq7Zq7Zq7Zq7", false),
    ])
func doubts(_ preset: Preset, _ value: String, _ isDoubtful: Bool) {
    let doubt = preset.doubt(about: Array(value.utf8))
    #expect((doubt != nil) == isDoubtful)
    #expect(doubt?.contains("Zq7") != true)
}
