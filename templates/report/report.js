// A click on a heading sorts its table by that column: figures falling first, names rising first, then the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const figures = head.classList.contains("n");
    const before = head.getAttribute("aria-sort");
    const rising = before ? before === "descending" : !figures;
    heads.forEach((h) => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => figures ? Number(row.cells[column].dataset.v) : row.cells[column].textContent;
    const order = (a, b) => figures ? key(a) - key(b) : key(a).localeCompare(key(b), "en", {numeric: true});
    body.append(...[...body.rows].sort((a, b) => rising ? order(a, b) : order(b, a)));
  }));
}
