// The search of the site runs in a worker, which browsers refuse to a page on a disk. There a hidden frame does its work.
(() => {
  if (location.protocol !== "file:") return;

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = "<!doctype html><title>search</title>";
      this.ready = new Promise((resolve, reject) => {
        this.frame.onload = () => this.load(url).then(resolve, reject);
      });
      document.body.append(this.frame);
    }

    async load(...urls) {
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = (...more) => this.load(...more);
      for (const url of urls) {
        await new Promise((resolve, reject) => {
          const script = inside.document.createElement("script");
          Object.assign(script, { src: url, onload: resolve, onerror: reject });
          inside.document.body.append(script);
        });
      }
    }

    postMessage(data) {
      const deliver = () => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
      this.ready.then(deliver, (error) => console.error("the search cannot be loaded", error));
    }

    terminate() {
      this.frame.remove();
    }
  };
})();
