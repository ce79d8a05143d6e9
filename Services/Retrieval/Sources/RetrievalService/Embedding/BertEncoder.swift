import COpenBLAS

/// The forward pass: token ids to one vector of length 1, the mean of the last layer's rows. One text at a time, so no
/// padding and no mask: a batch would win little on one thread and cost the longest text's time for each.
struct BertEncoder: Sendable {
    private let weights: BertWeights

    init(_ weights: BertWeights) {
        // Each caller computes on its own thread; threads inside a product would only fight them for cores.
        openblas_set_num_threads(1)
        self.weights = weights
    }

    /// The scratch memory of one text of `rows` tokens: 3 MiB at most.
    private final class Scratch {
        let rows: Int
        let state, query, key, value, mixed: UnsafeMutablePointer<Float>
        let inner: UnsafeMutablePointer<Float>
        let scores: UnsafeMutablePointer<Float>
        private let memory: UnsafeMutablePointer<Float>

        init(rows: Int) {
            self.rows = rows
            let plane = rows * BertWeights.hidden
            memory = .allocate(capacity: 5 * plane + rows * BertWeights.inner + rows * rows)
            state = memory
            query = state + plane
            key = query + plane
            value = key + plane
            mixed = value + plane
            inner = mixed + plane
            scores = inner + rows * BertWeights.inner
        }

        deinit { memory.deallocate() }
    }

    /// The vector of one text.
    /// - Parameter ids: 1 to 512 ids, each below the vocabulary's count.
    func encode(_ ids: [Int32]) -> [Float] {
        let scratch = Scratch(rows: ids.count)
        // The pointers in `weights` do not keep the file mapped; `weights` does.
        return withExtendedLifetime((weights, scratch)) {
            embed(ids, scratch)
            for layer in weights.layers {
                attend(layer, scratch)
                feedForward(layer, scratch)
            }
            return pool(scratch)
        }
    }

    private func embed(_ ids: [Int32], _ scratch: Scratch) {
        let width = BertWeights.hidden
        for (position, id) in ids.enumerated() {
            let row = scratch.state + position * width
            row.update(from: weights.words + Int(id) * width, count: width)
            VectorMath.add(weights.positions + position * width, to: row, count: width)
            VectorMath.add(weights.tokenType, to: row, count: width)
        }
        normalise(weights.embeddingNorm, scratch.state, rows: ids.count)
    }

    private func attend(_ layer: BertWeights.Layer, _ scratch: Scratch) {
        let rows = scratch.rows
        dense(layer.query, scratch.state, scratch.query, rows: rows)
        dense(layer.key, scratch.state, scratch.key, rows: rows)
        dense(layer.value, scratch.state, scratch.value, rows: rows)
        for head in 0 ..< BertWeights.heads { mix(head, scratch) }
        // The query's rows are spent: they hold the layer's result before it is added.
        dense(layer.attentionOutput, scratch.mixed, scratch.query, rows: rows)
        VectorMath.add(scratch.query, to: scratch.state, count: rows * BertWeights.hidden)
        normalise(layer.attentionNorm, scratch.state, rows: rows)
    }

    /// softmax(Q·Kᵀ / √width) · V of one head.
    private func mix(_ head: Int, _ scratch: Scratch) {
        let rows = scratch.rows
        let n = Int32(rows)
        let width = Int32(BertWeights.headWidth)
        let stride = Int32(BertWeights.hidden)
        let start = head * BertWeights.headWidth
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, n, n, width, 1 / Float(BertWeights.headWidth).squareRoot(),
            scratch.query + start, stride, scratch.key + start, stride, 0, scratch.scores, n)
        for row in 0 ..< rows { VectorMath.softmax(scratch.scores + row * rows, count: rows) }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, n, width, n, 1, scratch.scores, n, scratch.value + start, stride, 0,
            scratch.mixed + start, stride)
    }

    private func feedForward(_ layer: BertWeights.Layer, _ scratch: Scratch) {
        let rows = scratch.rows
        dense(layer.intermediate, scratch.state, scratch.inner, rows: rows)
        VectorMath.gelu(scratch.inner, count: rows * BertWeights.inner)
        dense(layer.output, scratch.inner, scratch.query, rows: rows)
        VectorMath.add(scratch.query, to: scratch.state, count: rows * BertWeights.hidden)
        normalise(layer.outputNorm, scratch.state, rows: rows)
    }

    private func pool(_ scratch: Scratch) -> [Float] {
        let width = BertWeights.hidden
        return [Float](unsafeUninitializedCapacity: width) { vector, count in
            guard let base = vector.baseAddress else { preconditionFailure("bug: \(width) floats have no address") }
            base.update(from: scratch.state, count: width)
            for row in 1 ..< scratch.rows { VectorMath.add(scratch.state + row * width, to: base, count: width) }
            VectorMath.normalise(base, count: width)
            count = width
        }
    }

    /// `output` = `input`·Wᵀ + b, for each row.
    private func dense(
        _ layer: BertWeights.Dense, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, rows: Int
    ) {
        for row in 0 ..< rows { (output + row * layer.outputs).update(from: layer.bias, count: layer.outputs) }
        let (inputs, outputs) = (Int32(layer.inputs), Int32(layer.outputs))
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rows), outputs, inputs, 1, input, inputs, layer.weight, inputs, 1,
            output, outputs)
    }

    private func normalise(_ norm: BertWeights.Norm, _ state: UnsafeMutablePointer<Float>, rows: Int) {
        let width = BertWeights.hidden
        for row in 0 ..< rows {
            VectorMath.layerNorm(state + row * width, count: width, scale: norm.scale, shift: norm.shift)
        }
    }
}
