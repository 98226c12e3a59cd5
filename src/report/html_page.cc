// SPDX-License-Identifier: Apache-2.0
#include "report/html_page.h"

#include <fmt/format.h>
#include <glib.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "report/chart_axis.h"

namespace vggt {
namespace {

constexpr size_t kMostRows = 800, kMostCols = 16, kMostOpenRows = 12, kMostOpenCols = 12;

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--ink:#16181d;--quiet:#5d6470;--ground:#fff;--card:#fff;--line:#dfe2e7;--soft:#f4f5f7;--link:#0062a3;--shade:#16181d40}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--quiet:#a3a9b5;--ground:#15171b;--card:#fff;--line:#33373f;--soft:#1e2127;--link:#7cc0f2;--shade:#000a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 Inter,system-ui,-apple-system,"Segoe UI",sans-serif}
a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}
.page{display:grid;grid-template-columns:15rem minmax(0,1fr);gap:0 3rem;max-width:80rem;margin:0 auto;padding:2.5rem 2rem 5rem}
header{grid-column:1/-1;margin-bottom:1.5rem}
h1{font-size:2rem;line-height:1.2;margin:0 0 1rem;letter-spacing:-.02em}
h2{font-size:1.35rem;line-height:1.25;margin:0 0 1rem;letter-spacing:-.01em}
h3{font-size:1rem;margin:2rem 0 .5rem}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:0;font-size:.9rem}
.facts dt{color:var(--quiet)}.facts dd{margin:0;overflow-wrap:anywhere}
nav{font-size:.9rem}nav ol{position:sticky;top:1.5rem;list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
nav li{border-bottom:1px solid var(--line)}nav a{display:block;padding:.4rem 0;color:inherit}
nav .scene{color:var(--quiet);font-size:.8rem;padding-top:.9rem}
main>section{padding:0 0 2.5rem;margin:0 0 2.5rem;border-bottom:1px solid var(--line)}
.scene-name{color:var(--quiet);font-size:.9rem;margin:0}
.findings{margin:0 0 1.5rem;padding-left:1.1rem}.findings li{margin:.3rem 0}
.notes{background:var(--soft);border-radius:8px;padding:.75rem 1rem;margin:0 0 1.5rem;font-size:.9rem;color:var(--quiet)}
.notes p{margin:.25rem 0}
figure{margin:0 0 2rem}
figure img{display:block;width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.75rem}
figure img.narrow{width:min(100%,34rem)}
figcaption{font-size:.88rem;color:var(--quiet);margin:.6rem 0 0;max-width:52rem}
figcaption b{color:var(--ink)}
.links{font-size:.85rem;margin:.35rem 0 0}.links a{margin-right:.9rem}
details{font-size:.88rem;margin:.4rem 0}summary{cursor:pointer;color:var(--quiet)}
.table{margin:1.25rem 0}.table>p{margin:.15rem 0;font-size:.88rem;color:var(--quiet);max-width:52rem}.table>p b{color:var(--ink)}
.scroll{overflow-x:auto;scrollbar-width:thin;background:linear-gradient(to right,var(--ground) 40%,transparent) 0 0/3rem 100% no-repeat local,
linear-gradient(to left,var(--ground) 40%,transparent) 100% 0/3rem 100% no-repeat local,
linear-gradient(to right,var(--shade),transparent) 0 0/.9rem 100% no-repeat scroll,
linear-gradient(to left,var(--shade),transparent) 100% 0/.9rem 100% no-repeat scroll}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.82rem;margin:.5rem 0}
th,td{padding:.2rem .7rem .2rem 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--quiet);font-weight:600}th.text,td.text{text-align:left}
.columns{margin:.5rem 0;padding:0;list-style:none}.columns li{margin:.25rem 0}code{font-size:.92em}
footer{grid-column:1/-1;color:var(--quiet);font-size:.85rem}
@media(max-width:60rem){.page{display:block;padding:1.25rem}nav{margin-bottom:2rem}nav ol{position:static}}
@page{margin:15mm}
@media print{:root{--ink:#000;--quiet:#444;--ground:#fff;--line:#ccc;--soft:#f4f5f7;--link:#000}
.page{display:block;padding:0;max-width:none}nav,figure .links,details:not([open]){display:none}figure img,.notes,li,.table{break-inside:avoid}h2,h3,figure img{break-after:avoid}
.links a::after{content:" " attr(href)}.scroll{overflow:visible;background:none}
figure img{border:0;padding:0;max-height:150mm;object-fit:contain;object-position:left top}main>section{border:0;margin-bottom:1rem}body{font-size:10.5pt}
main>section:first-of-type figure:first-of-type img{max-height:105mm}}
)";

std::string Escape(const std::string& text) {
  const std::unique_ptr<char, decltype(&g_free)> valid(
      g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())), g_free);
  const std::unique_ptr<char, decltype(&g_free)> escaped(g_markup_escape_text(valid.get(), -1),
                                                         g_free);
  std::string safe = escaped.get();
  // What would turn the direction of the text that follows.
  for (const char* turn :
       {"\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"}) {
    for (size_t at = 0; (at = safe.find(turn, at)) != std::string::npos;) {
      safe.replace(at, 3, "\uFFFD");
    }
  }
  return safe;
}

std::string Base64(const std::string& bytes) {
  const std::unique_ptr<char, decltype(&g_free)> text(
      g_base64_encode(reinterpret_cast<const guchar*>(bytes.data()), bytes.size()), g_free);
  return text.get();
}

// Paths are made of names that this program chose, but for those of scenes.
std::string Address(const std::string& path) {
  const std::unique_ptr<char, decltype(&g_free)> text(g_uri_escape_string(path.c_str(), "/", FALSE),
                                                      g_free);
  return text.get();
}

std::string LinksHtml(const PageLinks& links) {
  if (links.empty()) return "";
  std::string html = "<p class=links>";
  for (const auto& [name, path] : links) {
    html += fmt::format("<a href=\"{}\">{}</a>", Address(path), Escape(name));
  }
  return html + "</p>\n";
}

std::string CellHtml(const TableCell& cell) {
  if (const auto* number = std::get_if<int64_t>(&cell)) return fmt::format("<td>{}</td>", *number);
  if (const auto* number = std::get_if<double>(&cell)) {
    return fmt::format("<td>{}</td>", std::isfinite(*number) ? ShortNumber(*number) : "");
  }
  const auto* text = std::get_if<std::string>(&cell);
  return text == nullptr ? "<td></td>" : fmt::format("<td class=text>{}</td>", Escape(*text));
}

std::string RowsHtml(const ReportTable& table) {
  const size_t cols = std::min(table.columns.size(), kMostCols);
  std::string html =
      fmt::format("<details{}><summary>numbers{}</summary><div class=scroll tabindex=0><table><tr>",
                  table.rows.size() <= kMostOpenRows && cols <= kMostOpenCols ? " open" : "",
                  cols < table.columns.size()
                      ? fmt::format(", the first {} of {} columns", cols, table.columns.size())
                      : "");
  for (size_t i = 0; i < cols; ++i) {
    const TableColumn& column = table.columns[i];
    const bool text = std::holds_alternative<std::string>(table.rows[0][i]);
    html += fmt::format("<th{}>{}{}</th>", text ? " class=text" : "", Escape(column.name),
                        column.unit.empty() ? "" : " (" + Escape(column.unit) + ")");
  }
  html += "</tr>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (size_t i = 0; i < cols; ++i) html += CellHtml(row[i]);
    html += "</tr>\n";
  }
  return html + "</table></div></details>\n";
}

std::string ContentsHtml(const ReportTable& table) {
  std::string html =
      fmt::format("<details><summary>what is in it</summary><p>{}</p>\n<ul class=columns>",
                  Escape(table.definition));
  for (const TableColumn& column : table.columns) {
    html += fmt::format("<li><code>{}</code>{}: {}</li>\n", Escape(column.name),
                        column.unit.empty() ? "" : " (" + Escape(column.unit) + ")",
                        Escape(column.text));
  }
  for (const ReportArray& array : table.arrays) {
    html += fmt::format("<li><code>{}</code> {}: {}</li>\n", Escape(array.name), Escape(array.axes),
                        Escape(array.text));
  }
  return html + "</ul></details>\n";
}

std::string TableHtml(const PageTable& each) {
  const ReportTable& table = *each.table;
  std::string html =
      fmt::format("<div class=table><p><b>{}.</b>{}</p>\n", Escape(table.title),
                  table.sample.empty() ? "" : " Sample: " + Escape(table.sample) + ".");
  html += LinksHtml(each.links);
  if (!table.rows.empty() && table.rows.size() <= kMostRows) html += RowsHtml(table);
  return html + ContentsHtml(table) + "</div>\n";
}

std::string FigureHtml(const PageFigure& figure, int number) {
  const Chart& chart = *figure.chart;
  return fmt::format(
      "<figure id=\"figure-{}\"><img{} alt=\"{}\" src=\"data:image/svg+xml;base64,{}\">\n"
      "<figcaption><b>Figure {}. {}.</b> {}</figcaption>\n{}</figure>\n",
      number, chart.width < 120 ? " class=narrow" : "", Escape(chart.title), Base64(figure.svg),
      number, Escape(chart.title), Escape(chart.caption), LinksHtml(figure.links));
}

std::string SectionHtml(const PageSection& each, size_t place, int& figures) {
  const Section& section = *each.section;
  std::string html = fmt::format("<section id=\"section-{}\">\n", place + 1);
  if (!each.scene.empty()) html += fmt::format("<p class=scene-name>{}</p>\n", Escape(each.scene));
  html += fmt::format("<h2>{}</h2>\n", Escape(section.title));
  if (!section.findings.empty()) {
    html += "<ul class=findings>\n";
    for (const std::string& finding : section.findings) {
      html += fmt::format("<li>{}</li>\n", Escape(finding));
    }
    html += "</ul>\n";
  }
  for (const PageFigure& figure : each.figures) html += FigureHtml(figure, ++figures);
  if (!section.notes.empty()) {
    html += "<div class=notes>";
    for (const std::string& note : section.notes) html += fmt::format("<p>{}</p>", Escape(note));
    html += "</div>\n";
  }
  for (const PageTable& table : each.tables) html += TableHtml(table);
  return html + "</section>\n";
}

std::string ContentsHtml(const ReportPage& page) {
  std::string html = "<nav aria-label=\"Contents\"><ol>\n", scene;
  for (size_t i = 0; i < page.sections.size(); ++i) {
    const PageSection& section = page.sections[i];
    if (section.scene != scene) {
      scene = section.scene;
      html += fmt::format("<li class=scene>{}</li>\n", Escape(scene));
    }
    html += fmt::format("<li><a href=\"#section-{}\">{}</a></li>\n", i + 1,
                        Escape(section.section->title));
  }
  return html + "</ol></nav>\n";
}

}  // namespace

std::string HtmlPage(const ReportPage& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=generator content=\"{}\">\n<title>{}</title>\n<style>{}</style>\n</head>\n"
      "<body>\n<div class=page>\n<header>\n<h1>{}</h1>\n<dl class=facts>\n",
      Escape(page.creator), Escape(page.title), kStyle, Escape(page.title));
  for (const auto& [name, value] : page.facts) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", Escape(name), Escape(value));
  }
  html += "</dl>\n</header>\n" + ContentsHtml(page) + "<main>\n";
  if (!page.notes.empty()) {
    html += "<div class=notes>";
    for (const std::string& note : page.notes) html += fmt::format("<p>{}</p>", Escape(note));
    html += "</div>\n";
  }
  int figures = 0;
  for (size_t i = 0; i < page.sections.size(); ++i) {
    html += SectionHtml(page.sections[i], i, figures);
  }
  return html + fmt::format(
                    "</main>\n<footer>Made by {}. <a href=\"report.json\">report.json</a> holds "
                    "every definition, sample and option.</footer>\n</div>\n</body>\n</html>\n",
                    Escape(page.creator));
}

}  // namespace vggt
