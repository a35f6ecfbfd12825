// What is wrong with this page as the browser lays it out: a list of sentences.
function look() {
  const found = new Set(), wide = document.documentElement.clientWidth;
  const about = e => `${e.getAttribute("class") || e.tagName} "${e.textContent.trim().slice(0, 40)}"`;
  const numbers = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const mix = (over, share, under) => under.map((c, i) => share * over[i] + (1 - share) * c);
  const light = colour => {
    const [r, g, b] = colour.map(v => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  function page(e) { // the colour behind an element of HTML
    for (let n = e; n; n = n.parentElement) {
      const c = numbers(getComputedStyle(n).backgroundColor);
      if (c.length === 3) return c;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  }
  const boxes = svg => [...svg.querySelectorAll("rect")].flatMap(box => {
    const s = getComputedStyle(box), fill = numbers(s.fill);
    return fill.length === 3 ? [{ box, fill, share: Number(s.fillOpacity) * Number(s.opacity), place: box.getBoundingClientRect() }] : [];
  });
  function behind(text, r, drawn, under) { // and behind a text of a picture: the boxes that were drawn before it, one over another
    const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    const over = drawn.filter(({ place: p }) => p.left <= x && x <= p.right && p.top <= y && y <= p.bottom);
    const before = over.filter(d => d.box.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING);
    return before.reduce((colour, d) => mix(d.fill, d.share, colour), under);
  }
  function contrast(e, colour, back) {
    if (colour.length !== 3) return;
    const [low, high] = [light(colour), light(back)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.add(`faint (${ratio.toFixed(2)}): ${about(e)}`);
  }

  if (document.documentElement.scrollWidth > wide) found.add(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim());
    const places = texts.map(t => t.getBoundingClientRect()), drawn = boxes(svg), under = page(svg.parentElement);
    texts.forEach((t, i) => {
      const r = places[i], box = t.parentElement.querySelector(":scope > .box, :scope > .end");
      if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1) found.add(`outside its picture: ${about(t)}`);
      if (box && (r.left < box.getBoundingClientRect().left || r.right > box.getBoundingClientRect().right)) found.add(`wider than its box: ${about(t)}`);
      contrast(t, numbers(getComputedStyle(t).fill), behind(t, r, drawn, under));
      if (t.hasAttribute("transform")) return; // turned: the rectangle around it says little
      for (let j = 0; j < i; j++) {
        const across = Math.min(r.right, places[j].right) - Math.max(r.left, places[j].left);
        const down = Math.min(r.bottom, places[j].bottom) - Math.max(r.top, places[j].top);
        if (across > 1.5 * scale && down > 4 * scale && !texts[j].hasAttribute("transform")) found.add(`one on another: ${about(texts[j])}, ${about(t)}`);
      }
    });
  }
  for (const e of document.querySelectorAll("main *")) {
    const content = document.createRange(); // where the text is, which may be outside of the element
    content.selectNodeContents(e);
    const r = content.getBoundingClientRect(), said = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (!said || !r.width || e.closest("svg, script, style")) continue;
    if (!e.closest(".wide") && (r.right > wide + 1 || r.left < -1)) found.add(`cut off: ${about(e)}`);
    contrast(e, numbers(getComputedStyle(e).color), page(e));
  }
  return [...found];
}
