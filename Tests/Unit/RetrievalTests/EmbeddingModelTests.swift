import Foundation
import RetrievalService
import Testing

@Suite(.enabled(if: InstalledModel.folder != nil || InstalledModel.isRequired))
struct EmbeddingModelTests {
    @Test("texts become the ids an independent tokenizer gives", arguments: ReferenceCase.all)
    func tokenizes(reference: ReferenceCase) throws {
        #expect(BertTokenizer(try InstalledModel.vocabulary()).ids(reference.text) == reference.ids)
    }

    @Test("vectors agree with an independent forward pass in double precision")
    func embeds() throws {
        let model = try InstalledModel.load()
        for reference in ReferenceCase.all {
            let embedded = model.embed(reference.text)
            #expect(embedded.tokens == reference.ids.count)
            #expect(embedded.vector.count == 384)
            for (number, expected) in zip(embedded.vector, reference.head) { #expect(abs(number - expected) < 1e-5) }
            let witness = embedded.vector.enumerated().reduce(0.0) { $0 + Double($1.element) * cos(Double($1.offset)) }
            #expect(abs(witness - Double(reference.witness)) < 1e-4)
        }
    }

    @Test("a shortened vector is the beginning of the whole one, of length 1 again", arguments: [1, 7, 64, 384])
    func shortens(dimensions: Int) throws {
        let whole = try InstalledModel.load().embed("hello world").vector
        let short = EmbeddingModel.shortened(whole, to: dimensions)
        #expect(short.count == dimensions)
        #expect(abs(short.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        for index in short.indices { #expect(abs(short[index] * whole[0] - whole[index] * short[0]) < 1e-6) }
    }

    @Test("words of like meaning are nearer than others")
    func orders() throws {
        let model = try InstalledModel.load()
        let vectors = ["a cat sat on the mat", "a kitten rests on the rug", "quarterly tax filing"].map { model.embed($0).vector }
        #expect(dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]) + 0.3)
    }

    private func dot(_ left: [Float], _ right: [Float]) -> Float { zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } }
}
