// SPDX-License-Identifier: Apache-2.0
#include "analysis/similarity.h"

#include <Eigen/Dense>
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "analysis/row_sample.h"
#include "analysis/stored_rows.h"
#include "attention/logit_row.h"
#include "attention/request.h"
#include "ops/half_rows.h"

namespace vggt {
namespace {

constexpr int64_t kMostSampled = 512;

using Matrix = Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

double DotProduct(const double* a, const double* b, int64_t count) {
  return Eigen::Map<const Eigen::VectorXd>(a, count).dot(
      Eigen::Map<const Eigen::VectorXd>(b, count));
}

// Finite values only: their exponent is moved from float16's place to float32's.
void FiniteHalves(const uint16_t* from, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = from[i];
    const float magnitude = std::bit_cast<float>((bits & 0x7FFF) << 13) * 0x1p112F;
    out[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | (bits & 0x8000) << 16);
  }
}

// The products of rows or of columns, whichever are fewer: their eigenvalues are the squares of the
// singular values.
Matrix Gram(const RowMajor& x) {
  const bool wide = x.rows() <= x.cols();
  const auto side = wide ? x.rows() : x.cols();
  Matrix gram = Matrix::Zero(side, side);
  if (wide) {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(x);
  } else {
    gram.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose());
  }
  return gram;
}

MatrixRanks RanksOfGram(const Matrix& gram) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram, Eigen::EigenvaluesOnly);
  const auto& squares = solver.eigenvalues();
  const double largest = squares.size() > 0 ? squares.maxCoeff() : 0;
  MatrixRanks ranks;
  if (!(largest > 0)) return ranks;
  double sum = 0, sum_of_squares = 0;
  std::vector<double> values;
  for (const double square : squares) {
    // What is below the arithmetic's error is 0.
    values.push_back(square > 1e-13 * largest ? std::sqrt(square) : 0);
    sum += values.back();
    sum_of_squares += std::max(square, 0.0);
  }
  double entropy = 0;
  for (const double value : values) {
    if (value > 0) entropy -= value / sum * std::log(value / sum);
  }
  ranks.effective = std::exp(entropy);
  ranks.stable = sum_of_squares / largest;
  ranks.first_share = std::sqrt(largest) / sum;
  return ranks;
}

// Sums of unit vectors of the patches of each frame and of each cell.
struct UnitSums {
  UnitSums(const TokenGrid& grid, int64_t dim)
      : frames(static_cast<size_t>(grid.frames * dim), 0),
        cells(static_cast<size_t>(grid.patches() * dim), 0) {}
  std::vector<double> frames, cells;  // [frames, dim], [patches, dim]
};

class SimilarityWork {
 public:
  SimilarityWork(const QkStore& store, const QkBlocks& blocks, size_t layer)
      : store_(store),
        blocks_(blocks),
        grid_(store.description().token_grid(blocks)),
        layer_(layer) {
    out_.kind = blocks.kind;
    out_.layer_index = blocks.layers[layer].index;
    out_.grid = grid_;
    out_.heads = blocks.heads;
    out_.sample = SimilaritySample(grid_);
  }

  // `pairs`: become the cosines between the sample's keys and between its queries, [i, j < i].
  LayerSimilarity Run(std::vector<float>& key_pairs, std::vector<float>& query_pairs) {
    const QkTensors tensors = store_.Layer(blocks_, layer_);
    out_.keys = Similarity(tensors.k, key_pairs);
    out_.queries = Similarity(tensors.q, query_pairs);
    tensors.mapping->CheckIntact();
    if (blocks_.layers[layer_].has(QkExtra::kXUnitSum)) {
      const std::vector<float> sums = store_.Extras(blocks_, layer_).x_unit_sum;
      out_.hidden_frames = CosinesOfSums(sums, grid_.frames, grid_.patches());
      SetFrameMeans(out_.hidden_frames, out_.hidden);
    }
    return std::move(out_);
  }

 private:
  int64_t dim() const { return blocks_.head_dim; }
  int64_t tokens() const { return grid_.tokens(); }

  VectorSimilarity Similarity(const uint16_t* x, std::vector<float>& pairs) const {
    VectorSimilarity similarity;
    const std::vector<float> squares = Squares(x);
    std::vector<float> joined_scales(static_cast<size_t>(tokens()));
    for (int64_t t = 0; t < tokens(); ++t) {
      double sum = 0;
      for (int64_t h = 0; h < blocks_.heads; ++h)
        sum += squares[static_cast<size_t>(h * tokens() + t)];
      joined_scales[static_cast<size_t>(t)] = Scale(sum);
    }
    const auto frames = static_cast<size_t>(grid_.frames);
    // Of the joined vectors: products of the sums of frames, and squares of those of cells.
    std::vector<double> joined(frames * frames, 0);
    double joined_cells = 0;
    UnitSums own(grid_, dim()), shared(grid_, dim());
    std::vector<float> scales(joined_scales.size());
    for (int64_t h = 0; h < blocks_.heads; ++h) {
      for (int64_t t = 0; t < tokens(); ++t) {
        scales[static_cast<size_t>(t)] = Scale(squares[static_cast<size_t>(h * tokens() + t)]);
      }
      const uint16_t* head = x + h * tokens() * dim();
      AddHead(head, scales, joined_scales, own, shared);
      std::vector<double> products(frames * frames, 0);
      AddProducts(own.frames, products);
      similarity.cosines.push_back(Means(products, SquaresOf(own.cells), Units(scales)));
      AddProducts(shared.frames, joined);
      joined_cells += SquaresOf(shared.cells);
    }
    similarity.cosines.push_back(Means(joined, joined_cells, Units(joined_scales)));
    similarity.frames = FrameCosines(joined, Units(joined_scales));
    AddRanks(x, similarity, pairs);
    return similarity;
  }

  // ‖x‖² [heads, tokens].
  std::vector<float> Squares(const uint16_t* x) const {
    std::vector<float> squares(static_cast<size_t>(blocks_.heads * tokens()));
    SquaredNorms(x, std::ssize(squares), dim(), squares.data());
    if (!RowIsFinite(squares.data(), std::ssize(squares))) {
      ThrowNotFinite(store_.LayerPath(blocks_, layer_));
    }
    return squares;
  }

  static float Scale(double square) {
    return static_cast<float>(square > 0 ? 1 / std::sqrt(square) : 0);
  }

  // How many patches of each frame are no zeros.
  std::vector<double> Units(const std::vector<float>& scales) const {
    std::vector<double> units;
    for (int64_t f = 0; f < grid_.frames; ++f) {
      const auto first = scales.begin() + grid_.first_patch(f);
      units.push_back(static_cast<double>(
          std::count_if(first, first + grid_.patches(), [](float scale) { return scale > 0; })));
    }
    return units;
  }

  // Replaces the sums by those of one head, of vectors times `scales` and times `joined_scales`.
  void AddHead(const uint16_t* head, const std::vector<float>& scales,
               const std::vector<float>& joined_scales, UnitSums& own, UnitSums& shared) const {
    for (UnitSums* sums : {&own, &shared}) {
      std::fill(sums->frames.begin(), sums->frames.end(), 0);
      std::fill(sums->cells.begin(), sums->cells.end(), 0);
    }
    std::vector<float> x(static_cast<size_t>(dim()));
    for (int64_t f = 0; f < grid_.frames; ++f) {
      for (int64_t p = 0; p < grid_.patches(); ++p) {
        const int64_t token = grid_.first_patch(f) + p;
        FiniteHalves(head + token * dim(), dim(), x.data());
        for (UnitSums* sums : {&own, &shared}) {
          const float scale = (sums == &own ? scales : joined_scales)[static_cast<size_t>(token)];
          double* frame = sums->frames.data() + f * dim();
          double* cell = sums->cells.data() + p * dim();
          for (int64_t c = 0; c < dim(); ++c) {
            const double value = static_cast<double>(x[static_cast<size_t>(c)]) * scale;
            frame[c] += value;
            cell[c] += value;
          }
        }
      }
    }
  }

  void AddProducts(const std::vector<double>& sums, std::vector<double>& products) const {
    for (int64_t a = 0; a < grid_.frames; ++a) {
      for (int64_t b = 0; b < grid_.frames; ++b) {
        products[static_cast<size_t>(a * grid_.frames + b)] +=
            DotProduct(sums.data() + a * dim(), sums.data() + b * dim(), dim());
      }
    }
  }

  static double SquaresOf(const std::vector<double>& x) {
    return DotProduct(x.data(), x.data(), std::ssize(x));
  }

  // From products of the sums of frames; `units`: Σ ‖x̂‖² of each.
  std::vector<double> FrameCosines(const std::vector<double>& products,
                                   const std::vector<double>& units) const {
    const auto n = static_cast<double>(grid_.patches());
    std::vector<double> cosines(products.size());
    for (size_t a = 0; a < units.size(); ++a) {
      for (size_t b = 0; b < units.size(); ++b) {
        const double product = products[a * units.size() + b];
        cosines[a * units.size() + b] =
            a == b ? (product - units[a]) / (n * (n - 1)) : product / (n * n);
      }
    }
    return cosines;
  }

  CosineMeans Means(const std::vector<double>& products, double cells,
                    const std::vector<double>& units) const {
    CosineMeans means;
    SetFrameMeans(FrameCosines(products, units), means);
    const auto frames = static_cast<double>(grid_.frames);
    if (grid_.frames > 1) {
      const double pairs = static_cast<double>(grid_.patches()) * frames * (frames - 1);
      means.same_cell = (cells - std::accumulate(units.begin(), units.end(), 0.0)) / pairs;
    }
    return means;
  }

  void SetFrameMeans(const std::vector<double>& cosines, CosineMeans& means) const {
    const auto frames = static_cast<size_t>(grid_.frames);
    double within = 0, across = 0;
    for (size_t i = 0; i < cosines.size(); ++i) {
      (i % (frames + 1) == 0 ? within : across) += cosines[i];
    }
    if (grid_.patches() > 1) means.within = within / static_cast<double>(frames);
    if (frames > 1) means.across = across / static_cast<double>(frames * (frames - 1));
  }

  void AddRanks(const uint16_t* x, VectorSimilarity& similarity, std::vector<float>& pairs) const {
    const std::vector<int64_t>& sample = out_.sample;
    const int64_t rows = std::ssize(sample);
    RowMajor joined(rows, blocks_.heads * dim());
    std::vector<float> row(static_cast<size_t>(dim()));
    for (int64_t h = 0; h < blocks_.heads; ++h) {
      for (int64_t i = 0; i < rows; ++i) {
        FiniteHalves(x + (h * tokens() + sample[static_cast<size_t>(i)]) * dim(), dim(),
                     row.data());
        for (int64_t c = 0; c < dim(); ++c) joined(i, h * dim() + c) = row[static_cast<size_t>(c)];
      }
      RowMajor head = joined.middleCols(h * dim(), dim());
      Normalize(head);
      similarity.ranks.push_back(RanksOfGram(Gram(head)));
    }
    Normalize(joined);
    Matrix cosines = Gram(joined);
    similarity.ranks.push_back(RanksOfGram(cosines));
    if (cosines.rows() != rows) {  // fewer channels than rows
      cosines = Matrix::Zero(rows, rows);
      cosines.selfadjointView<Eigen::Lower>().rankUpdate(joined);
    }
    pairs.clear();
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < i; ++j) pairs.push_back(static_cast<float>(cosines(i, j)));
    }
  }

  static void Normalize(RowMajor& x) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      const double norm = x.row(i).norm();
      if (norm > 0) x.row(i) /= norm;
    }
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  const size_t layer_;
  LayerSimilarity out_;
};

}  // namespace

std::vector<int64_t> SimilaritySample(const TokenGrid& grid) {
  const int64_t each = (kMostSampled + grid.frames - 1) / grid.frames;
  const std::vector<int64_t> rows = PatchRows(SampledRows(grid, each), grid);
  const int64_t all = std::ssize(rows), count = std::min(all, kMostSampled);
  std::vector<int64_t> sample;
  for (int64_t i = 0; i < count; ++i) sample.push_back(rows[static_cast<size_t>(i * all / count)]);
  return sample;
}

MatrixRanks RanksOf(std::span<const double> x, int64_t rows, int64_t cols) {
  return RanksOfGram(Gram(Eigen::Map<const RowMajor>(x.data(), rows, cols)));
}

double Correlation(std::span<const float> a, std::span<const float> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - mean_a, y = b[i] - mean_b;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  // Values that are equal but for rounding do not vary.
  constexpr double kLeast = 1e-12;
  if (!(aa > kLeast * n * mean_a * mean_a && bb > kLeast * n * mean_b * mean_b)) {
    return CosineMeans::kNone;
  }
  return ab / std::sqrt(aa * bb);
}

std::vector<double> CosinesOfSums(std::span<const float> sums, int64_t frames, int64_t patches) {
  const std::vector<double> x(sums.begin(), sums.end());
  const int64_t channels = std::ssize(x) / frames;
  const auto n = static_cast<double>(patches);
  std::vector<double> cosines;
  for (int64_t a = 0; a < frames; ++a) {
    for (int64_t b = 0; b < frames; ++b) {
      const double product = DotProduct(x.data() + a * channels, x.data() + b * channels, channels);
      cosines.push_back(a == b ? (product - n) / (n * (n - 1)) : product / (n * n));
    }
  }
  return cosines;
}

std::vector<LayerSimilarity> ComputeSimilarity(const QkStore& store, BlockKind kind,
                                               const StopCheck& stop_check) {
  const QkBlocks& blocks = BlocksOf(store.description(), kind);
  const size_t count = blocks.layers.size();
  std::vector<LayerSimilarity> layers(count);
  std::vector<std::vector<float>> key_pairs(count), query_pairs(count);
  ParallelFor(count, 1, [&](size_t i) {
    CheckStop(stop_check);
    layers[i] = SimilarityWork(store, blocks, i).Run(key_pairs[i], query_pairs[i]);
    ReleaseLayer(store, blocks, i);
  });
  for (size_t i = 0; i + 1 < count; ++i) {
    layers[i].keys.next_layer = Correlation(key_pairs[i], key_pairs[i + 1]);
    layers[i].queries.next_layer = Correlation(query_pairs[i], query_pairs[i + 1]);
  }
  return layers;
}

}  // namespace vggt
