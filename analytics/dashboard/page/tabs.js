// The tabs: the shop or the table, and the pipeline. The address holds the chosen one.

const TABS = [...document.querySelectorAll("[role=tabpanel]")].map(({ id }) => id);

/** Show the panel of the chosen tab; only its tab is in the order of the Tab key. */
function showTab(chosen) {
  for (const name of TABS) {
    const tab = document.getElementById(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === chosen));
    tab.tabIndex = name === chosen ? 0 : -1;
    document.getElementById(name).hidden = name !== chosen;
  }
}

/** Choose tabs by mouse, and by the arrow keys, Home and End. */
function buildTabs(choose) {
  for (const [index, name] of TABS.entries()) {
    const tab = document.getElementById(`tab-${name}`);
    tab.addEventListener("click", () => choose(name));
    tab.addEventListener("keydown", (event) => {
      const next = tabOfKey(event.key, index);
      if (next === undefined) return;
      event.preventDefault();
      choose(next);
      document.getElementById(`tab-${next}`).focus();
    });
  }
}

/** Return the tab to which a key leads from another. */
function tabOfKey(key, index) {
  const steps = { ArrowRight: 1, ArrowLeft: TABS.length - 1 };
  if (key in steps) return TABS[(index + steps[key]) % TABS.length];
  return { Home: TABS[0], End: TABS.at(-1) }[key];
}
